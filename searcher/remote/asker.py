"""`ServiceAsker`: answers the queries of a command by asking a running service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from searcher.answer import Answer
from searcher.asked import Asked, Refused, Texts, Wish
from searcher.pictures import ExamplePicture, example_pictures
from searcher.query.identity import OwnImages, own_images
from searcher.query.source import Query, joined, naming, read_query
from searcher.reasons.explanation import explanation, explanation_json
from searcher.remote.answers import answer_from_json, explanations_from_json
from searcher.remote.connection import Service
from searcher.remote.form import question_content
from searcher.remote.pictures import ServicePictures
from searcher.remote.problems import refusal, sentence
from searcher.remote.shape import Shape
from shared.errors import ImageRefused, QueryError
from shared.reading import Limits
from shared.settings import Settings

AT_RANDOM = "--random"


class ServiceAsker:
    """An `Asker` that reads files and downloads, and sends their bytes to a service.

    `roots`: the folders that are known on this machine. `version`: a service of another one is not
    trusted; None trusts any.
    """

    def __init__(
        self,
        service: Service,
        wish: Wish,
        settings: Settings,
        roots: Mapping[str, Path],
        version: str | None = None,
    ) -> None:
        self.roots = roots
        self._limits = Limits(settings.max_pixels, settings.max_file_bytes)
        self.pictures = ServicePictures(service, roots, self._limits)
        self._service, self._wish, self._settings = service, wish, settings
        self._version = version

    def close(self) -> None:
        """End the connection."""
        self._service.close()

    def answers(self, queries: Sequence[Texts]) -> Iterator[Asked | Refused]:
        """What comes back for each query, in their order. Raises `ServiceError`."""
        for texts in queries:
            try:
                yield self._asked(texts)
            except (QueryError, ImageRefused) as error:
                given = joined(texts, self._wish.against) if texts else AT_RANDOM
                yield Refused(given, error)

    def _asked(self, texts: Texts) -> Asked:
        """One query's answer. Raises `QueryError`, `ImageRefused`, `ServiceError`."""
        several = len(texts) + len(self._wish.against) > 1
        like = [self._read(text, several) for text in texts]
        unlike = [self._read(text, several) for text in self._wish.against]
        shape, answer = self._answer(like, unlike)
        shown = shape.text("query")  # of one at random, its id
        if like:
            shown = joined([one.shown for one in like], [one.shown for one in unlike])
        told = explanations_from_json(shape.values)
        return Asked(
            shown,
            answer,
            self._examples(like or [Query(shown, point=shown)], unlike),
            explained={point: explanation(one) for point, one in told.items()},
            told={point: explanation_json(one) for point, one in told.items()},
        )

    def _read(self, text: str, several: bool) -> Query:
        with naming(text, wanted=several):
            return read_query(text, self._settings)

    def _answer(self, like: Sequence[Query], unlike: Sequence[Query]) -> tuple[Shape, Answer]:
        own = own_images([*like, *unlike], self.roots)
        if not self._service.is_local:
            own = OwnImages(own.points)  # device and inode mean nothing on another machine
        content = question_content(like, unlike, self._wish, own)
        reply = self._service.post("/search", content)
        if self._version not in (None, reply.version):
            raise self._service.failed(f"is of version {reply.version}, not {self._version}")
        if reply.status != 200:
            reason = sentence(reply) or "is it a Lookalike service?"
            raise refusal(reply) or self._service.failed(f"answers {reply.status}: {reason}")
        shape = Shape.read(reply.body, "the answer")
        return shape, answer_from_json(shape.values)

    def _examples(
        self, like: Sequence[Query], unlike: Sequence[Query]
    ) -> tuple[ExamplePicture, ...]:
        if not self._wish.draws:
            return ()
        return example_pictures(like, unlike, self.pictures.of_point, self._limits)
