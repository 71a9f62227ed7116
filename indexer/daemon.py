"""`indexer watch`: the loop that keeps the store true to the folders until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

from indexer.away import back_off_seconds
from indexer.hints import Hints
from indexer.indexing import Indexing
from indexer.progress import ProgressTracker
from indexer.roots import Root
from indexer.settling import has_other_names, look
from indexer.status_reporter import StatusReporter
from indexer.watch import Watcher
from shared.errors import DiskFull, StoreError
from shared.heartbeat import beat
from shared.reading import Signature
from shared.work_progress import WorkProgress

_log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
"""Longest sleep: how late a request through the journal or a replaced root is noticed."""
SLICE_SECONDS = 2.0
"""Longest stretch of indexing before the loop looks at hints and requests again."""
BURST = 1000
"""Hints in one tick beyond which the events are not trusted to be complete."""
LISTING_SHARE = 0.1
"""Events may not make the loop spend more than this share of its time on listing a root."""
BLIND_RESCAN_SECONDS = 10.0
"""How often a root is listed whose events do not arrive, or that could not be listed whole."""


class Daemon:
    """Watches every remembered root of an `Indexing` until `stop()`."""

    def __init__(self, indexing: Indexing, hints: Hints, stop: Callable[[], bool]) -> None:
        self._indexing, self._hints, self._stop = indexing, hints, stop
        self._watcher = Watcher(hints)
        self._due: dict[str, float] = {}
        self._last_listing: dict[str, tuple[float, float]] = {}
        self._blind: set[str] = set()
        self._failures = 0
        self._trouble: tuple[str, float] | None = None
        self._relabelling: WorkProgress | None = None
        self._batch = ProgressTracker()
        self._reporter = StatusReporter(indexing.settings.run, indexing.journal)
        self._said_at = 0.0
        self._untidy = 0

    def run(self) -> None:
        """Loop until told to stop. Raises `JournalError`, `ModelError`; waits out the rest."""
        try:
            while not self._stop():
                started = time.monotonic()
                beat(self._indexing.settings.run)
                busy = self._tick()
                self._say()
                if not busy and not self._stop():
                    self._hints.wait(self._sleep_seconds())
                # Whoever was stopped for long may have lost events.
                if time.monotonic() - started > SLICE_SECONDS + 5 * TICK_SECONDS and not busy:
                    self._watcher.lost_events()
        finally:
            self._watcher.stop()

    def _tick(self) -> bool:
        """One round; whether there may be more to do at once."""
        try:
            for key in self._watcher.take_deleted():
                self._indexing.home.roots.distrust(key)
            roots = self._requests()
            self._tend(roots)
            self._take_hints(roots)
            if self._trouble and time.monotonic() < self._trouble[1]:
                return False
            self._indexing.check_space()
            if self._indexing.targets.are_stale:
                _log.info("the models changed: opening them anew")
                self._indexing.open_targets()
            self._relabel()
            self._list_due(roots)
            self._indexing.settle()
            worked = self._work()
            self._finish(worked)
        except DiskFull as error:
            self._wait_out(f"paused: disk full: {error}", 5 * TICK_SECONDS)
            return False
        except StoreError as error:
            self._failures += 1
            self._wait_out(f"degraded: {error}", back_off_seconds(self._failures, error))
            return False
        self._failures, self._trouble = 0, None
        return bool(worked)

    def _wait_out(self, state: str, seconds: float) -> None:
        if not self._trouble or self._trouble[0] != state:
            _log.warning("%s", state)
        self._trouble = state, time.monotonic() + seconds

    def _requests(self) -> dict[str, Root]:
        """The roots, after what the user asked of them through the journal was done."""
        roots = {root.id: root for root in self._indexing.home.roots.all()}
        for root in list(roots.values()):
            if root.forgotten:
                _log.info("forgetting %s", root.id)
                self._watcher.forget(root.id)
                self._indexing.forget(root)
                del roots[root.id]
            elif root.accept:
                self._due[root.id] = 0
        return roots

    def _tend(self, roots: dict[str, Root]) -> None:
        for root in roots.values():
            if self._watcher.tend(root.id, root.folder):
                self._blind.discard(root.id)
            elif root.id not in self._blind:
                self._blind.add(root.id)
                self._due[root.id] = 0

    def _take_hints(self, roots: dict[str, Root]) -> None:
        paths, listings = self._hints.take()
        if len(paths) > BURST:
            listings |= {root for root, _ in paths}
        for root in listings:
            self._due[root] = self._soon(root)
        choosers = {key: self._indexing.home.chooser(root) for key, root in roots.items()}
        for key, path in paths:
            if key not in roots or not choosers[key].takes_path(roots[key].folder, path):
                continue
            signature = _signature(roots[key].folder + b"/" + path)
            if signature is None:  # absent, unknown, or the event gave the path before a move
                self._due[key] = self._soon(key)
                continue
            known = self._indexing.journal.file(key, path)
            if has_other_names(roots[key].folder + b"/" + path):
                # A hard link's other names change with it, without an event of their own.
                self._due |= {root: self._soon(root) for root in roots}
            if (
                known is not None
                and known.signature == signature
                and known.state in ("indexed", "refused", "waiting", "owed")
            ):
                continue
            if not self._indexing.settling.watch(key, path, signature):
                self._due[key] = self._earliest_listing(key)

    def _soon(self, root: str) -> float:
        """When to list a root that may have changed: when it is due, or earlier."""
        return min(self._due.get(root, 0), self._earliest_listing(root))

    def _earliest_listing(self, root: str) -> float:
        """When a root may be listed again because of events: sooner the cheaper its listing is."""
        ended, took = self._last_listing.get(root, (0.0, 0.0))
        settle = self._indexing.settings.settle_seconds
        return max(time.monotonic() + min(settle, TICK_SECONDS) / 2, ended + took / LISTING_SHARE)

    def _list_due(self, roots: dict[str, Root]) -> None:
        for key, root in roots.items():
            now = time.monotonic()
            if now < self._due.get(key, 0):
                continue
            result = self._indexing.reconcile(root)
            if root.problem and not result.problem:
                self._watcher.forget(key)  # folders that were unreadable are not watched yet
            took = time.monotonic() - now
            self._last_listing[key] = (now + took, took)
            rest = self._indexing.settings.rescan_seconds
            if key in self._blind or result.problem:
                rest = min(rest, max(BLIND_RESCAN_SECONDS, took / LISTING_SHARE))
            if result.retry_seconds is not None:
                rest = min(rest, result.retry_seconds)
            if result.held or result.overflow:
                rest = max(TICK_SECONDS, took / LISTING_SHARE)
            self._due[key] = now + took + rest
            if result.deleted or result.suspended:
                _log.info("%s: %d deleted, %d suspended", key, result.deleted, result.suspended)

    def _relabel(self) -> None:
        """Move to the next generation of clusters, if one waits. What arrives waits as well."""
        total, done = self._indexing.role.to_relabel, 0
        if not total:
            return
        tracker = ProgressTracker()

        def report(points: int) -> None:
            nonlocal done
            done += points
            beat(self._indexing.settings.run)
            self._relabelling = tracker.update(done, total - done)
            self._say(points)

        try:
            pair = self._indexing.relabel(self._stop, report)
        finally:
            self._relabelling = None
        self._untidy += total
        if pair is not None:
            _log.info("clusters %s of encoder %s now answer", pair.generation, pair.encoder)

    def _work(self) -> int:
        if not self._indexing.journal.has_owed():
            return 0
        until = time.monotonic() + SLICE_SECONDS
        unsettled = self._indexing.tally.unsettled
        worked = self._indexing.work(self._stop, self._say, lambda: time.monotonic() > until)
        if self._indexing.tally.unsettled > unsettled:
            for root in self._due:
                self._due[root] = self._soon(root)
        return worked

    def _finish(self, worked: int) -> None:
        """Once there is nothing to do: move to the next model, lay the store out."""
        self._untidy += worked
        if worked or self._indexing.journal.has_owed():
            return
        pair = self._indexing.activate_next()
        if pair is not None:
            _log.info("encoder %s now answers, with clusters %s", pair.encoder, pair.generation)
        if self._untidy:
            self._indexing.tidy()
            self._untidy = 0

    def _sleep_seconds(self) -> float:
        waits = [TICK_SECONDS, self._indexing.settling.next_seconds()]
        if self._due:
            waits.append(max(0.0, min(self._due.values()) - time.monotonic()))
        return max(0.02, min(wait for wait in waits if wait is not None))

    def _say(self, finished: int = 0) -> None:
        """Tell others when something changed; during a batch, at most once a second."""
        now = time.monotonic()
        if finished and now < self._said_at + TICK_SECONDS:
            return
        tally, (state, pending, progress) = self._indexing.tally, self._state()
        if self._reporter.report(
            state, pending=pending, progress=progress, encoded=tally.encoded, reused=tally.reused
        ):
            self._said_at = now

    def _state(self) -> tuple[str, int | None, WorkProgress | None]:
        """The state, pending files (None where they are not counted anew), and the progress."""
        if self._relabelling:
            return f"relabelling: {self._relabelling}", None, self._relabelling
        if self._trouble:
            return self._trouble[0], None, None
        pending, counts = self._indexing.backlog, self._indexing.journal.counts()
        progress = self._batch.update(self._indexing.tally.settled, pending)
        problems = [root.problem for root in self._indexing.home.roots.all() if root.problem]
        if problems and not counts["owed"]:  # what is unsettled may wait for just that root
            return f"degraded: {problems[0]}", pending, None
        if progress is not None:
            return f"indexing: {progress}", pending, progress
        if self._blind:
            where = sorted(self._blind)[0]
            return f"degraded: no events from {where}, listing it at intervals", pending, None
        return "watching", pending, None


def _signature(path: bytes) -> Signature | None:
    """The signature of a regular file; None for anything else, and where that is unknown."""
    with contextlib.suppress(OSError):
        return look(path)
    return None
