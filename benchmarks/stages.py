"""Where a scan's time goes: `python -m benchmarks.stages FOLDER`, home from the environment.

The product's own parts, put together as a scan does it. Prints seconds of processor time: of the
workers that decode; of the thread that submits and writes, by what it calls; and of all other
threads, which encode (the store's own are among them, and do little).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

_OWED_AT_A_TIME = 128


class Clocked:
    """Another object, the processor seconds of whose methods, in the thread that calls them, are
    added up under the name of a stage."""

    def __init__(self, inner: Any, stage: str, spent: dict[str, float]) -> None:
        self._inner, self._stage, self._spent = inner, stage, spent

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def clocked(*arguments: Any, **options: Any) -> Any:
            started = time.thread_time()
            try:
                return value(*arguments, **options)
            finally:
                self._spent[self._stage] += time.thread_time() - started

        return clocked


def measure(folder: Path) -> dict[str, float]:
    """Processor seconds by stage of indexing a folder into a home with models and nothing else."""
    from indexer.home import Home
    from indexer.indexing import Indexing
    from indexer.pipeline import Pipeline
    from shared.decoding.pool import DecodingPool
    from shared.reading import Limits
    from shared.settings import load_settings

    spent: dict[str, float] = defaultdict(float)
    settings = load_settings({})
    with Home(settings, "benchmark") as home:
        (root,) = home.remember([folder], excludes=None)
        indexing = Indexing(home)
        spent["start"] = time.process_time()
        spent["list"] = _seconds(lambda: indexing.reconcile(root))
        targets = [_clocked(target, spent) for target in indexing.targets.all]
        specs = [target.encoder.spec for target in indexing.targets.all]
        seconds = settings.decode_timeout_seconds
        pool = DecodingPool(specs, Limits(), workers=settings.workers, timeout_seconds=seconds)
        journal: Any = Clocked(home.journal, "journal", spent)
        pipeline = Pipeline(
            targets,
            journal,
            pool,
            batch_size=settings.batch_size,
            before_batch=indexing.check_space,
        )
        before, others = sum(spent.values()), time.process_time() - time.thread_time()
        whole = _seconds(lambda: pipeline.run(_owed(home.journal), indexing.folders()))
        spent["rest"] = whole - (sum(spent.values()) - before)
        spent["encode"] = time.process_time() - time.thread_time() - others
        spent["tidy"] = _seconds(indexing.tidy)
        pool.close()
        indexing.close()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent["decode"] = children.ru_utime + children.ru_stime
    return dict(spent)


def _clocked(target: Any, spent: dict[str, float]) -> Any:
    parts = {"clustering": "cluster", "store": "store"}
    clocked = {name: Clocked(getattr(target, name), stage, spent) for name, stage in parts.items()}
    return replace(target, **clocked)


def _owed(journal: Any) -> Iterator[Any]:
    root, path = "", b""
    while page := journal.owed_after(root, path, _OWED_AT_A_TIME):
        yield page
        root, path = page[-1].root, page[-1].path


def _seconds(work: Any) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


if __name__ == "__main__":
    os.environ.setdefault("LOOKALIKE_HOME", ".")
    print(json.dumps(measure(Path(sys.argv[1]))))
