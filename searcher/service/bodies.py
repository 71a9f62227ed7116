"""The bodies of questions, JSON with ids or a form with pictures, checked and made `Asking`.

Both have the same options under the same names; what a form gives as text is converted.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request as HttpRequest

from searcher.asking import Request
from searcher.service.engine import Asking, Upload
from searcher.service.policy import Policy
from searcher.service.problems import Problem
from shared.report import escape
from shared.thresholds import WANTED_RECALL
from shared.where import parse_where

MOST_RESULTS = 10_000
MOST_CONDITIONS = 32
_LONGEST_NAME = 255
_FIELD_BYTES = 64 * 1024
_FORM, _JSON = "multipart/form-data", "application/json"

Conditions = Annotated[
    list[Annotated[str, StringConstraints(max_length=4096)]], Field(max_length=MOST_CONDITIONS)
]


class Options(BaseModel):
    """What is asked besides pictures: the options of `searcher query`."""

    model_config = ConfigDict(extra="forbid")

    n: Annotated[int, Field(ge=1, le=MOST_RESULTS, description="How many results.")] = 12
    probes: Annotated[
        Annotated[int, Field(ge=1)] | Literal["auto", "all"],
        Field(description="Search the N nearest clusters, as many as `recall` asks for, or all."),
    ] = 1
    recall: Annotated[
        float | None,
        Field(gt=0, le=1, description="Share of the best results that `probes: auto` finds."),
    ] = None
    verify: Annotated[bool, Field(description="Measure the recall of this answer.")] = False
    where: Annotated[
        Conditions, Field(description="Only images such as `folder=holiday` or `width>=1000`.")
    ] = []
    min_score: Annotated[float | None, Field(ge=-1, le=1)] = None
    min_percentile: Annotated[float | None, Field(ge=0, le=100)] = None
    tier: Literal["exact", "near", "similar"] | None = None
    explain: Annotated[bool, Field(description="Tell for each result why it is one.")] = False
    records: Annotated[bool, Field(description="Give all that is stored of each result.")] = False

    @model_validator(mode="after")
    def _recall_needs_auto(self) -> Options:
        if self.recall is not None and self.probes != "auto":
            raise ValueError("recall says how far `probes: auto` looks: give both")
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
        )


Ids = Annotated[list[UUID], Field(max_length=16)]


class Question(Options):
    """A question about indexed images: what looks like `ids` and not like `not_ids`, or like an
    image at random."""

    ids: Annotated[Ids, Field(description="Images to be like, at least one.")] = []
    not_ids: Annotated[Ids, Field(description="Images to be unlike.")] = []
    random: Annotated[bool, Field(description="Ask with an image at random instead.")] = False

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
    )


async def read_search(http: HttpRequest, policy: Policy) -> tuple[Asking, Options]:
    """The question in a request's body. Raises `Problem`, `ValidationError`, `QueryError`."""
    if _kind(http) == _JSON:
        question = Question.model_validate_json(await http.body(), strict=True)
        return question.asking(), question
    form, like, unlike = await _read_form(http, policy)
    if not like and not form.ids:
        raise Problem(422, "a question needs an example: give an image or ids")
    asking = asking_of(form, [*like, *map(str, form.ids)], [*unlike, *map(str, form.not_ids)])
    if len(asking.like) + len(asking.unlike) > policy.examples:
        raise Problem(422, f"a question has at most {policy.examples} examples")
    return asking, form


async def read_batch(http: HttpRequest, policy: Policy) -> list[tuple[Asking, Options]]:
    """All questions of a request's body: those of the JSON, or one of every picture of a form.

    Raises as `read_search`.
    """
    if _kind(http) == _JSON:
        batch = Batch.model_validate_json(await http.body(), strict=True)
        return [(one.asking(), one) for one in batch.queries]
    form, like, unlike = await _read_form(http, policy)
    if not like or form.ids or form.not_ids or unlike:
        raise Problem(422, "a batch is a form of pictures, each a question: give image only")
    return [(asking_of(form, [one]), form) for one in like]


def _kind(http: HttpRequest) -> str:
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (_FORM, _JSON):
        raise Problem(415, f"the body is {escape(kind) or 'of no kind'}: send {_FORM} or {_JSON}")
    return kind


async def _read_form(
    http: HttpRequest, policy: Policy
) -> tuple[FormQuestion, list[Upload], list[Upload]]:
    """The fields of a form and its pictures, to be like and unlike."""
    most = max(policy.examples, policy.batch)
    async with http.form(max_files=most, max_fields=most, max_part_size=_FIELD_BYTES) as form:
        fields = FormQuestion.model_validate(_fields(form))
        return fields, await _uploads(form, "image"), await _uploads(form, "not_image")


_LISTS = ("ids", "not_ids", "where")
_FILES = ("image", "not_image")


def _fields(form: FormData) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in _FILES:
            continue
        if not isinstance(value, str):
            raise Problem(422, f"the field {escape(name)[:40]} is no file: send text")
        if name in _LISTS:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise Problem(422, f"the field {escape(name)[:40]} is given twice")
        else:
            found[name] = int(value) if name == "probes" and value.isdecimal() else value
    return found


async def _uploads(form: FormData, name: str) -> list[Upload]:
    found = []
    for part in form.getlist(name):
        if not isinstance(part, UploadFile):
            raise Problem(422, f"the field {name} is text: send a file")
        found.append(Upload(_shown(part.filename), await part.read()))
    return found


def _shown(name: str | None) -> str:
    """What an upload is called: the last part of its name, which is never used as a path."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return escape(last)[:_LONGEST_NAME] or "upload"
