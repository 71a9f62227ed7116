"""`python -m benchmarks.service`: `POST /search` under 1 to 200 clients, with memory.

All pictures are indexed; the collection is then filled up with vectors drawn from theirs, each
naming a real file. Asked with the full-size photographs as JPEGs of 512 x 512 pixels.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.asking.alone import Alone, alone
from benchmarks.asking.clients import STAGES, Load, load
from benchmarks.asking.filling import fill
from benchmarks.asking.questions import EDGE, body, questions
from benchmarks.asking.serving import Served, serving
from benchmarks.options import Options, run_with
from benchmarks.report import Goal, Report, Table, publish
from benchmarks.resampling import home_of

__all__ = ["fill"]

COLORS = {1: "#2a6f97", 2: "#c0392b"}
ASKING = 4
"""Clients while memory is watched."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`images` indexed; every number of `workers` under every number of `clients` for `seconds`;
    `requests` while memory is watched, after `warm` others."""

    images: int
    workers: tuple[int, ...]
    clients: tuple[int, ...]
    seconds: float
    warm: int
    requests: int


FULL = Plan(100_000, (1, 2), (1, 8, 64, 200), 10, 400, 2_000)
QUICK = Plan(500, (1, 2), (1, 8), 2, 20, 60)


@dataclass(frozen=True, slots=True)
class Measured:
    """One load on so many workers: medians in milliseconds, errors, megabytes afterwards."""

    workers: int
    clients: int
    rate: float
    p50: float
    p99: float
    longest: float
    stages: tuple[float, ...]
    busy: int
    wrong: int
    megabytes: float

    @classmethod
    def of(cls, workers: int, found: Load, megabytes: float) -> Measured:
        """Raises ValueError if nobody got an answer."""
        if not found.good:
            raise ValueError(f"none of {found.clients} clients got an answer")
        walls = 1000 * np.array([one.seconds for one in found.good])
        p50, p99, longest = (float(value) for value in np.percentile(walls, [50, 99, 100]))
        stages = np.median([one.stages for one in found.good], axis=0)
        return cls(
            workers,
            found.clients,
            found.rate,
            p50,
            p99,
            longest,
            tuple(float(value) for value in stages),
            found.busy,
            found.wrong,
            megabytes,
        )

    def row(self, limit: float) -> list[str]:
        """As people read it; `limit` in answers/s."""
        return [
            str(self.workers),
            str(self.clients),
            f"{self.rate:.0f}",
            f"{self.rate / limit:.2f}",
            *(f"{value:.1f}" for value in (self.p50, self.p99, self.longest)),
            *(f"{value:.1f}" for value in self.stages),
            f"{self.p50 - sum(self.stages):.1f}",
            str(self.busy),
            str(self.wrong),
            f"{self.megabytes:.0f}",
        ]


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes and open descriptors after so many requests, warmed up before the first."""

    requests: list[int]
    megabytes: list[float]
    descriptors: list[int]

    @property
    def growth(self) -> float:
        """Megabytes from the first to the last."""
        return self.megabytes[-1] - self.megabytes[0]


def measure(options: Options) -> None:
    """Fill, ask, publish."""
    plan = QUICK if options.quick else FULL
    home = filled_home(options, plan.images)
    pictures = list(questions(options.full_size, 200, options.seed))
    bodies = [body(picture) for picture in pictures]
    limit = alone(home, pictures)
    found, memory = list[Measured](), Memory([], [], [])
    for workers in plan.workers:
        with serving(home, workers) as service:
            load(service.port, ASKING, bodies, 60, plan.warm // ASKING)
            if not memory.requests:
                watch(service, bodies, plan.requests, memory)
            for clients in plan.clients:
                given = load(service.port, clients, bodies, plan.seconds)
                found.append(Measured.of(workers, given, service.megabytes()))
    publish(_report(plan, found, limit, memory), options, lambda figure: draw(figure, found, limit))


def filled_home(options: Options, images: int) -> Path:
    """The home of an earlier run, or a new one; half a one is made anew."""
    home = options.home(f"service-{images}")
    whole = home.with_suffix(".whole")
    if not whole.exists():
        shutil.rmtree(home, ignore_errors=True)
        fill(home_of(options.pictures, home), images)
        whole.touch()
    return home


def watch(service: Served, bodies: Sequence[bytes], requests: int, memory: Memory) -> None:
    """Note memory before, after every fifth of the requests, and after the last."""
    for part in range(6):
        if part:
            load(service.port, ASKING, bodies, 120, requests // 5 // ASKING)
        memory.requests.append(part * (requests // 5 // ASKING) * ASKING)
        memory.megabytes.append(service.megabytes())
        memory.descriptors.append(service.descriptors())


def _report(plan: Plan, found: Sequence[Measured], limit: Alone, memory: Memory) -> Report:
    return Report(
        name="service",
        title=f"Load: `POST /search` with {plan.images:,} images",
        tables=[_table(found, limit), _memory_table(memory)],
        goals=_goals(plan, found, memory),
        notes=_notes(plan, limit),
        measured={
            "images": plan.images,
            "loads": [asdict(one) for one in found],
            "alone": asdict(limit) | {"rate": _limit(limit)},
            "memory": asdict(memory),
        },
    )


def _limit(found: Alone) -> float:
    return found.rate(len(os.sched_getaffinity(0)))


def _table(found: Sequence[Measured], limit: Alone) -> Table:
    header = ["workers", "clients", "answers/s", "of the limit", "p50 ms", "p99 ms", "longest ms"]
    header += [*(f"{stage} ms" for stage in STAGES), "rest ms", "503", "wrong", "MB"]
    every = [f"{value:.1f}" for value in (limit.decode, limit.encode, limit.search)]
    alone_row = ["limit", "", f"{_limit(limit):.0f}", "1.00", "", "", "", *every, "", "", "", ""]
    rows = [alone_row, *(one.row(_limit(limit)) for one in found)]
    return Table("Answers under load", header, rows)


def _memory_table(memory: Memory) -> Table:
    rows = [
        (f"{requests:,}", f"{megabytes:.1f}", str(descriptors))
        for requests, megabytes, descriptors in zip(
            memory.requests, memory.megabytes, memory.descriptors, strict=True
        )
    ]
    return Table("Memory over requests", ("requests", "MB", "descriptors"), rows)


def _goals(plan: Plan, found: Sequence[Measured], memory: Memory) -> list[Goal]:
    at = {(one.workers, one.clients): one for one in found}
    asked = f"{plan.images:,} images"
    return [
        Goal(f"load, {asked}, one client: p50", at[1, 1].p50, 15, "at most", "ms"),
        Goal(f"load, {asked}, one client: p99", at[1, 1].p99, 60, "at most", "ms"),
        Goal("load, 8 clients, 2 workers", at[2, 8].rate, 100, "at least", "answers/s"),
        Goal(
            "load, all: answers that are neither right nor a 503 with Retry-After",
            sum(one.wrong for one in found),
            0,
            "at most",
        ),
        Goal(
            f"load, memory grown over {memory.requests[-1]:,} requests",
            memory.growth,
            5,
            "at most",
            "MB",
        ),
    ]


def _notes(plan: Plan, limit: Alone) -> list[str]:
    return [
        f"Clients are processes of the same machine, each asking for {plan.seconds:g} seconds one "
        f"question after the other, JPEGs of {EDGE} x {EDGE}; they share the processors with the "
        "service. An answer counts if it came within that time.",
        f"The limit is decoding, encoding and searching alone in one process: "
        f"{limit.processor:.1f} ms of a processor a question, on all processors. *rest* is HTTP, "
        "comparing results pixel by pixel, and waiting for the turn.",
        "*503*: told to come again, and when; *wrong*: any other answer, or none.",
        f"Memory is that of the service with one worker and its decoders, shared pages once, after "
        f"{plan.warm} requests that warm it, with {ASKING} clients.",
    ]


def draw(figure: Figure, found: Sequence[Measured], limit: Alone) -> None:
    """Answers/s beside the limit, and waiting times, by the number of clients."""
    left, right = figure.subplots(1, 2)
    for workers in sorted({one.workers for one in found}):
        some = [one for one in found if one.workers == workers]
        clients = [one.clients for one in some]
        color, name = COLORS.get(workers), f"{workers} worker{'s' * (workers > 1)}"
        shown: dict[str, Any] = {"color": color, "marker": "o"}
        left.plot(clients, [one.rate for one in some], label=name, **shown)
        right.plot(clients, [one.p50 for one in some], label=f"{name}, p50", **shown)
        p99 = [one.p99 for one in some]
        right.plot(clients, p99, label=f"{name}, p99", linestyle="--", **shown)
    left.axhline(_limit(limit), color="#888888", label="decode, encode and search alone")
    left.set(xlabel="clients", ylabel="answers/s", ylim=(0, None))
    right.set(xlabel="clients", ylabel="milliseconds until the answer", yscale="log")
    right.yaxis.set_major_formatter("{x:g}")
    for axes in (left, right):
        axes.set_xscale("log")
        ticks = sorted({one.clients for one in found})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.legend(frameon=False)


if __name__ == "__main__":
    run_with(__doc__, measure)
