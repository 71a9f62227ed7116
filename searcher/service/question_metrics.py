"""What is counted and timed of questions: outcome, stages, results, share of images compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram

from searcher.answer import Answer
from searcher.service.problems import Problem
from shared.errors import ImageRefused, QueryError

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
"""Bounds of buckets; finer where answers are expected."""
STAGES = ("wait", "decode", "encode", "search", "rest")
"""Waiting for a thread, uploads made pixels, pixels made vectors, vectors compared, and what is
left: duplicates found, reasons given, the answer written."""
OUTCOMES = ("answered", "refused", "failed")

_SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1)
_COUNTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000)
_REFUSALS = (Problem, ImageRefused, QueryError)


@dataclass(slots=True)
class Timing:
    """One question while it is answered. Times are of `perf_counter`, in seconds."""

    asked: float = field(default_factory=perf_counter)
    begun: float | None = None
    answer: Answer | None = None

    def begin(self) -> None:
        """Its turn has come."""
        self.begun = perf_counter()

    def stages(self, total: float) -> dict[str, float]:
        """Seconds spent in each stage; together they are `total`."""
        if self.answer is None or self.begun is None:
            return {}
        took = self.answer.took
        spent = {
            "wait": self.begun - self.asked,
            "decode": took.decode / 1000,
            "encode": took.encode / 1000,
            "search": took.search / 1000,
        }
        return spent | {"rest": max(0.0, total - sum(spent.values()))}


class QuestionMetrics:
    """Metrics of all questions, those of a batch one by one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, told: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"lookalike_question_{name}", told, buckets=buckets, registry=registry)

        outcomes = Counter(
            "lookalike_questions", "Questions, by outcome.", ["outcome"], registry=registry
        )
        stages = Histogram(
            "lookalike_question_stage_seconds",
            "Time that an answered question spent in a stage it went through.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._outcomes = {one: outcomes.labels(one) for one in OUTCOMES}
        self._stages = {one: stages.labels(one) for one in STAGES}
        self._seconds = histogram("seconds", "Time to answer a question, all stages.", SECONDS)
        self._results = histogram("results", "Results found by a question.", _COUNTS)
        self._clusters = histogram("clusters", "Clusters that a question searched.", _COUNTS)
        self._coverage = histogram("coverage_ratio", "Share of images that were compared.", _SHARES)

    @contextmanager
    def question(self) -> Iterator[Timing]:
        """Count and time a question; give the `Timing` its answer."""
        timing = Timing()
        try:
            yield timing
        except _REFUSALS:
            self._outcomes["refused"].inc()
            raise
        except Exception:
            self._outcomes["failed"].inc()
            raise
        self._outcomes["answered"].inc()
        self._observe(timing, perf_counter() - timing.asked)

    def _observe(self, timing: Timing, total: float) -> None:
        self._seconds.observe(total)
        for stage, seconds in timing.stages(total).items():
            if seconds:  # a question by id has nothing to decode
                self._stages[stage].observe(seconds)
        answer = timing.answer
        if answer is not None:
            self._results.observe(len(answer.results))
            self._clusters.observe(len(answer.clusters_searched))
            if answer.total:
                self._coverage.observe(answer.searched / answer.total)
