"""What the bodies of questions hold, checked and made `Asking`.

JSON with ids and forms with pictures have the same options under the same names.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    model_validator,
)

from searcher.query.identity import OwnImages
from searcher.query.options import Request
from searcher.service.asking import Asking, Upload
from searcher.service.rules import HAS_EXAMPLE, RECALL_NEEDS_AUTO
from shared.thresholds import WANTED_RECALL
from shared.where import parse_where

MOST_RESULTS = 10_000
MOST_PROBES = 1_000_000
MOST_CONDITIONS = 32
MOST_OWN = 64


def _whole(value: object) -> object:
    """JSON has one kind of numbers: 12.0 is 12."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Flag = Annotated[bool, Strict()]
Text = Annotated[
    str, StringConstraints(max_length=4096), Field(json_schema_extra={"format": "condition"})
]
FileId = Annotated[str, StringConstraints(pattern="^[0-9]{1,20}:[0-9]{1,20}$")]
Conditions = Annotated[list[Text], Field(max_length=MOST_CONDITIONS)]


class Options(BaseModel):
    """What is asked besides pictures: the options of `searcher query`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=RECALL_NEEDS_AUTO)

    n: Annotated[int, Field(ge=1, le=MOST_RESULTS, description="How many results."), WHOLE] = 12
    probes: Annotated[
        Annotated[int, Field(ge=1, le=MOST_PROBES), WHOLE] | Literal["auto", "all"],
        Field(description="Search the N nearest clusters, as many as `recall` needs, or all."),
    ] = "auto"
    recall: Annotated[
        float | None,
        Field(gt=0, le=1, description="Share of the best results that `probes: auto` finds."),
    ] = None
    verify: Annotated[Flag, Field(description="Measure the recall of this answer.")] = False
    where: Annotated[
        Conditions, Field(description="Only images such as `folder=holiday` or `width>=1000`.")
    ] = []
    min_score: Annotated[float | None, Field(ge=-1, le=1)] = None
    min_percentile: Annotated[float | None, Field(ge=0, le=100)] = None
    tier: Literal["exact", "near", "similar"] | None = None
    explain: Annotated[Flag, Field(description="Tell for each result why it is one.")] = False
    records: Annotated[Flag, Field(description="Give all that is stored of each result.")] = False
    keep_self: Annotated[
        Flag,
        Field(alias="self", description="Keep indexed query images among their own results."),
    ] = False
    own_ids: Annotated[
        list[UUID],
        Field(max_length=MOST_OWN, description="Images that are query images, and left out."),
    ] = []
    own_files: Annotated[
        list[FileId],
        Field(
            max_length=MOST_OWN,
            description="`DEVICE:INODE` of query images that are files on the service's machine;"
            " ignored unless the request comes over its Unix socket.",
        ),
    ] = []

    @model_validator(mode="after")
    def _recall_needs_auto(self) -> Options:
        if self.recall is not None and self.probes != "auto":
            raise ValueError("recall is for `probes: auto`: leave one of the two out")
        return self

    def request(self) -> Request:
        """The options as the engine takes them. Raises `QueryError`."""
        return Request(
            number=self.n,
            probes=self.probes,
            wanted_recall=WANTED_RECALL if self.recall is None else self.recall,
            verify=self.verify,
            where=parse_where(self.where),
            min_score=self.min_score,
            min_percentile=self.min_percentile,
            keep_self=self.keep_self,
        )

    def own(self) -> OwnImages:
        """The indexed images that the client knows to be its query images."""
        files = [one.partition(":") for one in self.own_files]
        return OwnImages(
            frozenset(map(str, self.own_ids)),
            frozenset((int(device), int(inode)) for device, _, inode in files),
        )


Ids = Annotated[list[UUID], Field(max_length=16)]


class Question(Options):
    """A question about indexed images: what looks like `ids` and not like `not_ids`, or like an
    image at random."""

    model_config = ConfigDict(json_schema_extra=RECALL_NEEDS_AUTO | HAS_EXAMPLE)

    ids: Annotated[Ids, Field(description="Images to be like, at least one.")] = []
    not_ids: Annotated[Ids, Field(description="Images to be unlike.")] = []
    random: Annotated[Flag, Field(description="Ask with an image at random instead.")] = False

    @model_validator(mode="after")
    def _has_example(self) -> Question:
        if self.random == bool(self.ids):
            raise ValueError("give ids, or random: true")
        if self.random and self.not_ids:
            raise ValueError("random asks with one image: give no other")
        return self

    def asking(self) -> Asking:
        """The question as the engine takes it. Raises `QueryError`."""
        return asking_of(self, [str(one) for one in self.ids], [str(one) for one in self.not_ids])


class Batch(BaseModel):
    """Several questions at once."""

    model_config = ConfigDict(extra="forbid")

    queries: Annotated[list[Question], Field(min_length=1, max_length=100)]


class FormQuestion(Options):
    """The fields of a form that are no pictures."""

    ids: Ids = []
    not_ids: Ids = []


def asking_of(
    options: Options, like: Sequence[Upload | str], unlike: Sequence[Upload | str] = ()
) -> Asking:
    """A question about these examples."""
    return Asking(
        like=tuple(like),
        unlike=tuple(unlike),
        request=options.request(),
        tier=options.tier,
        explain=options.explain,
        seed=secrets.randbits(64),
        own=options.own(),
    )
