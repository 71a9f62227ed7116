"""`python -m benchmarks.searching.owner HOME QUERIES.npz`: owns a store as `indexer watch` does.

Reads wishes from standard input, a line of JSON each, and answers each with one. *ask*: every
query once, in this process; its seconds. *go on*: for some seconds, write new images in batches and
ask meanwhile, in a thread of its own; what `Paced` found and what was written when. Ends with the
input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.records import record
from benchmarks.searching.paced import Question, ask_at_random
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.store.protocol import VectorStore
from shared.types import Embeddings

COLLECTION = "searched"
BATCH = 64
"""Images that a scan writes at a time."""


def main(home: Path, given: Path) -> None:
    """Answer until the input ends."""
    store = open_store(load_settings({"home": home}), COLLECTION, role="owner")
    with np.load(given) as arrays:
        question = Question(arrays["queries"], list(map(str, arrays["labels"])))
        new, labels = arrays["new"], list(map(str, arrays["new_labels"]))
    writer = _Writer(store, new, labels)
    _say({"pid": True})
    for line in sys.stdin:
        wish = json.loads(line)
        if wish["do"] == "ask":
            _say(question.seconds_of_all(store, with_records=wish["with_records"]))
        else:
            _say(_go_on(store, question, writer, wish))
    store.close()


def _go_on(
    store: VectorStore, question: Question, writer: _Writer, wish: dict[str, Any]
) -> dict[str, Any]:
    until = time.monotonic() + wish["seconds"]
    writing = threading.Thread(target=writer.write, args=(wish["batches"], until, wish["tidies"]))
    writing.start()
    asked = ask_at_random(store, question, wish["asks"], until, seed=1)
    writing.join()
    return {"asked": asked, "written": writer.take_written()}


class _Writer:
    """Writes images that have arrived, and notes when: kind, start, end, by the monotonic clock."""

    def __init__(self, store: VectorStore, new: Embeddings, labels: list[str]) -> None:
        self._store, self._new, self._labels = store, new, labels
        self._next = 0
        self._written: list[tuple[str, float, float]] = []

    def write(self, batches_per_second: float, until: float, tidies: bool) -> None:
        """As many batches a second; `tidies`: after each, as the daemon does with no more owed."""
        due = time.monotonic()
        while batches_per_second and due < until and self._next + BATCH <= len(self._new):
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / batches_per_second
            some = slice(self._next, self._next + BATCH)
            records = [
                record(10**6 + row, self._labels[row]) for row in range(some.start, some.stop)
            ]
            self._next += BATCH
            self._timed("writing a batch", lambda: self._store.upsert(records, self._new[some]))  # noqa: B023
            if tidies:
                self._timed("tidying", self._store.tidy)

    def _timed(self, kind: str, work: Any) -> None:
        started = time.monotonic()
        work()
        self._written.append((kind, started, time.monotonic()))

    def take_written(self) -> list[tuple[str, float, float]]:
        """What was written since the last time."""
        written, self._written = self._written, []
        return written


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
