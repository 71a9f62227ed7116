"""An owner process of a store, and this process as its client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.searching.owner import COLLECTION
from benchmarks.searching.paced import Question
from shared.clustering import Clustering
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.store.protocol import VectorStore
from shared.types import Embeddings


@dataclass(frozen=True, slots=True)
class Owned:
    """`client`: the store through the owner's socket, as the searcher has it."""

    client: VectorStore
    question: Question
    _process: subprocess.Popen[str]

    def wish(self, **words: Any) -> None:
        """Tell the owner what to do; `answer` waits for it."""
        assert self._process.stdin  # noqa: S101 - it was asked for
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """What the owner answers to a wish."""
        assert self._process.stdout  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the store's owner ended with {self._process.wait()}")
        return json.loads(line)


@contextmanager
def owned(
    home: Path, clusters: Clustering, queries: Embeddings, new: Embeddings
) -> Iterator[Owned]:
    """An owner of the home's store that knows the queries and the images that will arrive."""
    labels, of_new = (
        [clusters.label(int(one)) for one in clusters.predict(rows)] for rows in (queries, new)
    )
    given = home / "questions.npz"
    np.savez(given, queries=queries, labels=labels, new=new, new_labels=of_new)
    command = [sys.executable, "-m", "benchmarks.searching.owner", str(home), str(given)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _client(home, process, Question(queries, labels))
        finally:
            assert process.stdin  # noqa: S101
            process.stdin.close()
            process.wait()


def _client(home: Path, process: subprocess.Popen[str], question: Question) -> Owned:
    assert process.stdout  # noqa: S101
    process.stdout.readline()  # it listens
    client = open_store(load_settings({"home": home}), COLLECTION)
    return Owned(client, question, process)
