"""`HomeAsker`: answers the queries of a command in this process, with the models of a home."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from searcher.asked import Asked, Refused, Texts, Wish
from searcher.duplicates.tiering import with_tiers
from searcher.opening import open_home
from searcher.pictures import ExamplePicture, Picture, RootPictures, example_pictures
from searcher.query.examples import Question, answer, random_question, read_question
from searcher.search import Searcher
from shared.errors import ImageRefused, QueryError
from shared.settings import Settings

_Prepared = tuple[Texts, Question | Refused | None]
"""A query as it was given, with its examples read and encoded; None asks with one at random."""


class HomeAsker:
    """An `Asker` that loads what it needs itself."""

    def __init__(self, settings: Settings, wish: Wish) -> None:
        """Raises `ModelError` (`NoModel` before any training)."""
        self.home = open_home(settings)
        self._wish = wish

    @property
    def roots(self) -> Mapping[str, Path]:
        """Where each root id lies on this machine."""
        return self.home.roots

    @property
    def pictures(self) -> RootPictures:
        """The indexed images, read from where they lie."""
        return RootPictures(self.home.roots, self.home.limits)

    def answers(self, queries: Sequence[Texts]) -> Iterator[Asked | Refused]:
        """What comes back for each query, in their order. Raises `StoreError`, `ModelError`."""
        waiting = list(queries)
        while waiting:
            # The store is held by nobody while pictures are fetched, decoded and encoded.
            prepared = [(texts, self._prepare(texts)) for texts in waiting]
            while prepared and isinstance(refused := prepared[0][1], Refused):
                yield refused
                del prepared[0]
            if not self._wish.wants_heat:
                # Encoder and store need much memory each: the peak is the sum of both otherwise.
                self.home.encoder.release()
            waiting = (yield from self._answer(prepared)) if prepared else []

    def _answer(
        self, prepared: Sequence[_Prepared]
    ) -> Generator[Asked | Refused, None, list[Texts]]:
        """Answer prepared queries. Those are left that must be asked anew, because the clusters
        changed meanwhile and the labels that were searched may be going."""
        with self.home.searching() as searcher:
            for place, (_, question) in enumerate(prepared):
                found = question if isinstance(question, Refused) else self._ask(question, searcher)
                if not self.home.is_current:
                    self.home = open_home(self.home.settings)
                    return [texts for texts, _ in prepared[place:]]
                yield found
        return []

    def _prepare(self, texts: Texts) -> Question | Refused | None:
        """Read, decode and encode the examples; None if none was given."""
        if not texts:
            return None
        try:
            return read_question(texts, self._wish.against, self.home)
        except (QueryError, ImageRefused) as error:
            return Refused(" + ".join(texts), error)

    def _ask(self, question: Question | None, searcher: Searcher) -> Asked | Refused:
        """Ask the store; with an indexed image at random if there is no question."""
        question = question or random_question(searcher.store, secrets.randbits(64))
        wish, home = self._wish, self.home
        try:
            found = answer(question, searcher, wish.request, home.roots)
            found = with_tiers(found, question, home, wish.tier)
        except (QueryError, ImageRefused) as error:
            return Refused(question.given, error)
        examples = self._examples(question, searcher) if wish.draws else ()
        if not wish.explain:
            return Asked(question.shown, found, examples)
        from searcher.reasons.explaining import explain

        told = explain(question, found, searcher, home, drawn=wish.draws)
        return Asked(question.shown, found, examples, told.heats, told.lines, told.values)

    def _examples(self, question: Question, searcher: Searcher) -> tuple[ExamplePicture, ...]:
        like, unlike = ([one.query for one in some] for some in (question.like, question.unlike))
        points = [one.point for one in (*like, *unlike) if one.point is not None]
        stored = searcher.store.get(points) if points else {}

        def indexed(point: str) -> Picture:
            found = stored.get(point)
            return self.pictures.of(found.record) if found else Picture(point, None, "not indexed")

        return example_pictures(like, unlike, indexed, self.home.limits)
