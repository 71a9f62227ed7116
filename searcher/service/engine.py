"""`Engine`: models, store and decoders of a home, held open for as long as the service runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from searcher.answer import Took
from searcher.duplicates.alike import SMALL, Small
from searcher.duplicates.small_pictures import Keeper, SmallPictures
from searcher.duplicates.tiering import with_tiers
from searcher.opening import Home, open_home
from searcher.query.examples import Example, Question, answer, question_of, random_question
from searcher.query.source import Query
from searcher.reasons.explaining import explain
from searcher.search import Searcher
from searcher.service.asking import Asking, Found, Upload
from shared.decoding.decoders import Decoders
from shared.errors import LookalikeError, StoreError, StoreMissing
from shared.readiness import explained
from shared.reading import Limits
from shared.roots import FILE_NAME as ROOTS_FILE
from shared.roots import known_roots
from shared.settings import Settings
from shared.store.hub import Hub, open_hub
from shared.types import PixelSpec

_ATTEMPTS = 3
"""How often a question is asked while the clusters change under it."""

SMALL_PICTURES = 4_000
"""As many are kept in memory, 5 KB each."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Opened:
    """One pair of encoder and clusters as it answers, with the decoders for its geometry and the
    small pictures that results are compared by."""

    home: Home
    searcher: Searcher
    decoders: Decoders
    pictures: SmallPictures


class Engine:
    """Answers questions of one home. Safe to call from several threads.

    Every method raises `LookalikeError`: `NoModel` before any training, `StoreMissing` before any
    scan, `NotReady` in their place while an indexer is at work. A home that changes is followed: a
    new encoder, new clusters, another root.
    """

    def __init__(self, settings: Settings, *, decoders: int, keeper: Keeper | None = None) -> None:
        self.settings = settings
        self._n_decoders, self._keeper = decoders, keeper
        # Apart from the others: a page full of thumbnails keeps no question waiting.
        self._thumbnailers = self._decoders([])
        self._hub: Hub | None = None
        self._closed = False
        self._opened: Opened | None = None
        self._roots_stamp: int | None = None
        self._lock = threading.RLock()
        self._encoding = threading.Lock()

    def close(self) -> None:
        """End the decoders and let go of the store; closing twice is harmless."""
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened.decoders.close()
                self._opened = None
            self._thumbnailers.close()
            if self._hub is not None:
                self._hub.close()

    def warm(self) -> None:
        """Open what can be opened before the first question. What cannot is said when asked."""
        with contextlib.suppress(LookalikeError):
            self.opened()

    def opened(self) -> Opened:
        """What answers now, opened anew if the home has moved on."""
        with self._lock:
            now = self._opened
            if now is None or not now.home.is_current:
                now = self._open(now)
            elif self._stamp() != self._roots_stamp:
                now = self._with_roots(now)
            self._opened = now
            return now

    def consistent(self, ask: Callable[[Opened], Result]) -> Result:
        """What `ask` finds, with one pair of encoder and clusters from begin to end."""
        with explained(self.settings.run):
            for _ in range(_ATTEMPTS):
                opened = self.opened()
                try:
                    found = ask(opened)
                except LookalikeError:
                    if self._opened is opened and opened.home.is_current:
                        raise
                    continue  # its decoders and its store may be closed by now
                if opened.home.is_current:
                    return found
        raise StoreMissing("the clusters are changing: try again")

    def answer(self, asking: Asking) -> Found:
        """Answer one question. Raises `ImageRefused` and `QueryError` as well."""
        return self.consistent(lambda opened: self._answer(asking, opened))

    def thumbnail(self, data: bytes, edge: int) -> bytes:
        """A picture's bytes as a JPEG of at most `edge` pixels each way. Raises `ImageRefused`."""
        return self._thumbnailers.thumbnail(data, edge)

    def _answer(self, asking: Asking, opened: Opened) -> Found:
        home, searcher = opened.home, opened.searcher
        if asking.like:
            question = replace(self._question(asking, opened), own=asking.own)
        else:
            question = random_question(searcher.store, asking.seed)
        found = answer(question, searcher, asking.request, home.roots)
        found = with_tiers(found, question, home, asking.tier, opened.pictures)
        told = explain(question, found, searcher, home, drawn=False) if asking.explain else None
        return Found(question.shown, found, told)

    def _question(self, asking: Asking, opened: Opened) -> Question:
        return question_of(
            self._examples(asking.like, opened), self._examples(asking.unlike, opened)
        )

    def _examples(self, given: Sequence[Upload | str], opened: Opened) -> list[Example]:
        return [
            self._seen(one, opened) if isinstance(one, Upload) else Example(Query(one, point=one))
            for one in given
        ]

    def _seen(self, upload: Upload, opened: Opened) -> Example:
        """An upload decoded in a process that may hang or die of it, and encoded."""
        started = perf_counter()
        decoded = opened.decoders.decode(upload.data)
        between = perf_counter()
        with self._encoding:
            vector = opened.home.encoder.encode(decoded.pixels[0][None])[0]
        took = Took((between - started) * 1000, (perf_counter() - between) * 1000)
        small = Small.of(decoded.pixels[1], min(decoded.width, decoded.height))
        return Example(Query(upload.name, data=upload.data), decoded, vector, small, took)

    def _open(self, before: Opened | None) -> Opened:
        home = open_home(self.settings)
        self._roots_stamp = self._stamp()
        store = self._collections().collection(home.encoder.id)
        home.encoder.load()
        searcher = Searcher(home.encoder, home.clustering, store, home.limits, home.calibration)
        pictures = self._pictures(home)
        if before is not None and before.home.encoder.spec == home.encoder.spec:
            return Opened(home, searcher, before.decoders, pictures)
        decoders = self._decoders([home.encoder.spec, SMALL])
        if before is not None:
            before.decoders.close()
        return Opened(home, searcher, decoders, pictures)

    def _collections(self) -> Hub:
        """The home's store, which may be held by another command for a while."""
        if self._closed:
            raise StoreError("the service is stopping: ask another one")
        if self._hub is None:
            self._hub = open_hub(self.settings, long_lived=True)
        return self._hub

    def _decoders(self, specs: Sequence[PixelSpec]) -> Decoders:
        return Decoders(
            specs,
            Limits(self.settings.max_pixels, self.settings.max_file_bytes),
            workers=self._n_decoders,
            timeout_seconds=self.settings.decode_timeout_seconds,
        )

    def _with_roots(self, opened: Opened) -> Opened:
        self._roots_stamp = self._stamp()
        home = replace(opened.home, roots=known_roots(self.settings))
        return replace(opened, home=home, pictures=self._pictures(home))

    def _pictures(self, home: Home) -> SmallPictures:
        return SmallPictures(home.roots, home.limits, self._keeper, SMALL_PICTURES)

    def _stamp(self) -> int | None:
        try:
            return Path(self.settings.home, ROOTS_FILE).stat().st_mtime_ns
        except OSError:
            return None
