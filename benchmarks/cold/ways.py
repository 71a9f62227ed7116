"""The ways to ask the same question, taking turns."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import article
from benchmarks.cold.homes import Filled, copied, killed
from benchmarks.cold.running import daemon, service
from benchmarks.measure import Run, ours, run
from benchmarks.resampling import real_vectors

CLOSED, KILLED = "no daemon, closed cleanly", "no daemon, its owner killed"
DAEMON, SERVICE, ARTICLE = "a daemon runs", "a service runs", "the article's way"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to ask, how often, and what must be done before each time."""

    ask: Callable[[], Run]
    rounds: int
    before: Callable[[], object] = lambda: None


def asked(filled: Filled, h5: Path | None, rounds: int, warm: int) -> dict[str, Run]:
    """Every way's median of so many rounds, after `warm` ones that do not count; the article's of
    half as many, and only with its network."""
    with ExitStack() as stack:
        names = ("watched", "served", "killed", "asked")
        watched, served, dead, asked_dead = (
            stack.enter_context(filled.copied_for_now(name)) for name in names
        )
        stack.enter_context(daemon(watched))
        stack.enter_context(service(served))
        killed(dead)
        ways = {
            CLOSED: _ours(filled, filled.home, rounds),
            KILLED: _ours(filled, asked_dead, rounds, lambda: copied(dead, asked_dead)),
            DAEMON: _ours(filled, watched, rounds),
            SERVICE: _ours(filled, served, rounds),
        }
        if h5 is not None:
            ways[ARTICLE] = _article(filled, h5, -(-rounds // 2))
        found = _in_turns(ways, warm)
    _check(filled, found)
    return {name: _median(runs) for name, runs in found.items()}


def _ours(
    filled: Filled, home: Path, rounds: int, before: Callable[[], object] = lambda: None
) -> Way:
    command = *ours("searcher"), "query", filled.question, "--self", "--json"
    return Way(lambda: run(*command, home=home), rounds, before)


def _article(filled: Filled, h5: Path, rounds: int) -> Way:
    """As many vectors as the home has, pickled beside the network."""
    folder = filled.home.with_name(f"article-{filled.size}")
    vectors, clusters = real_vectors(filled.home)
    names = [f"{number:06d}.jpg" for number in range(len(vectors))]
    article.prepare(folder, h5, names, vectors, clusters.n_clusters)
    command = sys.executable, "-m", "benchmarks.article", folder, filled.question
    return Way(lambda: run(*command), rounds)


def _in_turns(ways: Mapping[str, Way], warm: int) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {name: [] for name in ways}
    for turn in range(-warm, max(way.rounds for way in ways.values())):
        for name, way in ways.items():
            if turn >= way.rounds:
                continue
            way.before()
            answered = way.ask()
            if turn >= 0:
                found[name].append(answered)
    return found


def _check(filled: Filled, found: Mapping[str, list[Run]]) -> None:
    """All of our ways must have given one answer, with the picture itself at its top."""
    answers = [json.loads(one.output) for name in found if name != ARTICLE for one in found[name]]
    for answer in answers:
        results = [(one["id"], one["score"], one["tier"]) for one in answer["results"]]
        expected = [(one["id"], one["score"], one["tier"]) for one in answers[0]["results"]]
        top = answer["results"][0]
        if answer["total"] != filled.size or results != expected or top["score"] < 0.999:
            raise SystemExit(f"{filled.home}: {answer} differs from {answers[0]}")
        if not filled.question.as_posix().endswith(top["path"]):
            raise SystemExit(f"{filled.home}: {top} was found for {filled.question}")


def _median(runs: list[Run]) -> Run:
    return Run(
        statistics.median(one.seconds for one in runs),
        int(statistics.median(one.peak_bytes for one in runs)),
        runs[-1].output,
    )
