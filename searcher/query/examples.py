"""A question made of examples: pictures that the results shall look like, or not look like."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Answer, Took
from searcher.opening import Home
from searcher.query.conditions import resolve
from searcher.query.identity import NO_OWN, OwnImages, own_images
from searcher.query.options import Request
from searcher.query.source import Query, joined, naming, read_query
from searcher.search import Searcher, embed_image
from shared.errors import ImageUnknown, QueryError, StoreMissing
from shared.store.protocol import VectorStore
from shared.types import Decoded, ImageRecord

if TYPE_CHECKING:
    from searcher.duplicates.alike import Small


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture with its vector, float32 (512,), or else the id of an indexed one, `query.point`.

    `decoded` tells hashes and size of a picture; `small` is what others are compared with, if it
    has been made already.
    """

    query: Query
    decoded: Decoded | None = None
    vector: NDArray[np.float32] | None = None
    small: Small | None = None
    took: Took = field(default_factory=Took)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Examples to be like, at least one, and examples to be unlike. `shown`: as it was given, in
    valid Unicode. `given`: the same for error messages. `own`: the indexed images that are examples
    themselves, as far as is known before the search."""

    shown: str
    given: str
    like: tuple[Example, ...]
    unlike: tuple[Example, ...] = ()
    own: OwnImages = NO_OWN

    @property
    def is_plain(self) -> bool:
        """Whether it is one picture as it is."""
        return len(self.like) == 1 and not self.unlike

    @property
    def examples(self) -> tuple[Example, ...]:
        """All examples."""
        return (*self.like, *self.unlike)

    @property
    def took(self) -> Took:
        """The time that reading the examples took."""
        spent = [example.took for example in self.examples]
        return Took(sum(one.decode for one in spent), sum(one.encode for one in spent))

    @property
    def own_images(self) -> OwnImages:
        """The indexed images that are examples themselves."""
        points = [one.query.point for one in self.examples if one.query.point]
        hashes = [one.decoded.sha256 for one in self.examples if one.decoded]
        return OwnImages(self.own.points.union(points), self.own.files, frozenset(hashes))


def read_example(text: str, home: Home) -> Example:
    """A file, URL or id as an example, decoded and encoded; no store is needed.

    Raises `QueryError` or `ImageRefused`; their messages do not repeat the text.
    """
    query = read_query(text, home.settings)
    if query.data is None:
        return Example(query)
    home.encoder.load()  # before the clock of `Took` starts
    decoded, vector, took = embed_image(home.encoder, query.data, home.limits)
    return Example(query, decoded, vector, took=took)


def read_question(like: Sequence[str], unlike: Sequence[str], home: Home) -> Question:
    """A question about all of these at once; raises as `read_example`, naming the text where there
    are several."""
    several = len(like) + len(unlike) > 1
    question = question_of(
        [_read(text, home, several) for text in like],
        [_read(text, home, several) for text in unlike],
    )
    own = own_images([one.query for one in question.examples], home.roots)
    return replace(question, given=joined(like, unlike), own=own)


def question_of(like: Sequence[Example], unlike: Sequence[Example] = ()) -> Question:
    """A question about examples that have been read."""
    shown = joined([one.query.shown for one in like], [one.query.shown for one in unlike])
    return Question(shown, shown, tuple(like), tuple(unlike))


def _read(text: str, home: Home, several: bool) -> Example:
    with naming(text, wanted=several):
        return read_example(text, home)


def random_question(store: VectorStore, seed: int) -> Question:
    """An indexed picture at random. Raises `StoreMissing` if there is none.

    Ids are hashes, so that the first one after a random id is any of them, nearly evenly.
    """
    start = str(UUID(int=random.Random(seed).getrandbits(128)))  # noqa: S311 - no secret
    found = store.id_page(start, 1)[0] or store.id_page(None, 1)[0]
    if not found:
        raise StoreMissing("nothing is indexed yet: run `indexer scan DIR` first")
    return Question(found[0], found[0], (Example(Query(found[0], point=found[0])),))


def answer(
    question: Question, searcher: Searcher, request: Request, roots: Mapping[str, Path]
) -> Answer:
    """Search for images like the examples, in the clusters of those to be like.

    `roots`: the folder of each root id. Raises what `Searcher` raises, and `ImageUnknown`.
    """
    started = perf_counter()
    request = replace(request, where=resolve(request.where, searcher.store))
    points = [one.query.point for one in question.examples if one.query.point]
    stored = searcher.store.get(points, with_vectors=True) if points else {}
    records: list[ImageRecord] = []

    def vector(example: Example) -> NDArray[np.float32]:
        if example.vector is not None:
            return example.vector
        found = stored.get(str(example.query.point))
        if found is None or found.vector is None:
            raise ImageUnknown("no indexed image has this id")
        records.append(found.record)
        return found.vector

    like, unlike = [vector(one) for one in question.like], [vector(one) for one in question.unlike]
    row = like[0] if question.is_plain else combined(like, unlike)
    took = replace(question.took, search=(perf_counter() - started) * 1000)
    own = None if request.keep_self else question.own_images
    found = searcher.search(
        row,
        request,
        took,
        examples=np.stack(like),
        is_itself=(lambda record: own.hold(record, roots)) if own else None,
    )
    recall = found.recall
    if not question.is_plain and recall is not None and recall.kind == "expected":
        recall = recall if found.searched == found.matching else None  # a mean is no image
    point = records[0] if question.like[0].query.point else None
    return replace(found, recall=recall, point=point)


def combined(
    like: Sequence[NDArray[np.float32]], unlike: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """float32 (512,), unit: the mean of the vectors to be like, moved away from the mean of the
    others by as much as lies between them, as Qdrant's *average vector* recommendation does.

    Raises `QueryError` if nothing is left of it.
    """
    wanted = np.stack(like).astype(np.float64).mean(axis=0)
    if unlike:
        wanted = 2 * wanted - np.stack(unlike).astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(wanted))
    if length < 1e-6:
        raise QueryError("the examples cancel each other out: leave one out")
    row: NDArray[np.float32] = (wanted / length).astype(np.float32)
    return row
