"""Carries out a plan against the real daemon, and asks the oracle after every round."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shared.models import Models, Pair
from shared.settings import load_settings
from tests.daemons import indexer
from tests.faults.crasher.daemon import Victim
from tests.faults.crasher.disk import carry_out
from tests.faults.crasher.oracle import Expected, Oracle, expected
from tests.faults.crasher.plan import Plan, Round
from tests.faults.crasher.world import DAEMON_ACTS, OUTSIDE, ROOTS, Step, World
from tests.homes import draw_photos, make_home


@dataclass(slots=True)
class Totals:
    """What a run did and found. `losses` is empty if the daemon kept its promise."""

    seed: int
    rounds: int = 0
    operations: int = 0
    kills: int = 0
    stops: int = 0
    queries: int = 0
    losses: list[str] = field(default_factory=list)


class Crasher:
    """One run in one folder: `home`, two roots, and the place where roots are put away."""

    def __init__(self, folder: Path, seed: int, tflite: Path, say: Callable[[str], None]) -> None:
        self._base, self._say = folder, say
        self.totals = Totals(seed)
        self._plan, self._world = Plan(seed), World()
        for name in (*ROOTS, OUTSIDE):
            (folder / name).mkdir(parents=True)
        self._picture = draw_photos(folder / "photos")[0]
        self._home = folder / "home"
        make_home(self._home, folder / "photos", tflite, indexed=False)
        (self._home / "roots.json").unlink()
        self._oracle = Oracle(folder, self._home)
        self._victim = Victim(self._home, [folder / name for name in ROOTS])

    def run(self, seconds: float) -> Totals:
        """Rounds until the time is over or something was lost."""
        deadline = time.monotonic() + seconds
        try:
            for round_ in self._plan.rounds():
                self._round(round_)
                if self.totals.losses or time.monotonic() > deadline:
                    break
        finally:
            self._victim.close()
        return self.totals

    def _round(self, round_: Round) -> None:
        started, before = time.monotonic(), expected(self._world)
        operations, kills, stops = self.totals.operations, self.totals.kills, self.totals.stops
        self._victim.disturbed = self._victim.watch is None
        for step in round_.steps:
            time.sleep(step.wait)
            self._step(step)
        self.totals.queries += self._victim.answers()
        wrong = self._oracle.disk(self._world)
        if not wrong and round_.doubted:
            wrong = self._accepted(round_, before)
        wrong = wrong or self._quiet({}) or self._ended(round_)
        self._victim.check_log()
        self.totals.losses += wrong + self._victim.complaints
        self.totals.rounds += 1
        files = expected(self._world)
        self._say(
            f"round {round_.number:>3}  {round_.kind:<7} "
            f"{self.totals.operations - operations:>3} operations  "
            f"{self.totals.kills - kills} kills  {self.totals.stops - stops} stops  "
            f"{len(files.good) + len(files.bad):>3} files  {len(files.good):>3} points  "
            f"{len(self.totals.losses)} losses  {time.monotonic() - started:4.1f} s"
        )

    def _step(self, step: Step) -> None:
        if step.act not in DAEMON_ACTS:
            carry_out(self._base, step)
            self._world.apply(step)
            self.totals.operations += 1
            return
        victim = self._victim
        victim.disturbed |= step.act not in ("query", "recluster")
        if step.act == "start":
            victim.start(step.value)
        elif step.act == "kill":
            victim.kill()
            self.totals.kills += 1
        elif step.act == "end":
            victim.end()
        elif step.act == "stop":
            victim.send(signal.SIGSTOP)
            self.totals.stops += 1
        elif step.act == "continue":
            victim.send(signal.SIGCONT)
        elif step.act == "query":
            victim.query(self._picture)
        elif step.act == "recluster":
            self._recluster()

    def _recluster(self) -> None:
        """A second generation of clusters for the daemon to move to, the centroids swapped."""
        models = Models(load_settings({"home": self._home}, {}).models)
        if models.next() is None:
            old = models.clustering(models.current())
            centroids = np.roll(old.centroids, 1, axis=0)
            made = models.add_clustering(old.encoder, centroids, {"chosen_by": "crasher"})
            models.set_next(Pair(old.encoder, made.generation))

    def _quiet(self, suspended: dict[str, str]) -> list[str]:
        """Wait until all is right, then ask the doctor, then look whether it stayed so."""
        wanted = expected(self._world)
        points = wanted.good | suspended
        ask, alive = self._oracle, self._victim.is_alive
        wrong = (
            ask.eventually(lambda: ask.store(points) + ask.state(len(suspended)), alive)
            or ask.eventually(lambda: ask.doctor(wanted, set(suspended)), alive)
            or ask.store(points)
        )
        return wrong if alive() else [*wrong, f"the daemon does not run: see {self._victim.log}"]

    def _accepted(self, round_: Round, before: Expected) -> list[str]:
        """Exactly what is lost must be suspended; then the user accepts it."""
        there = set(self._world.eligible(str(round_.doubted)))
        points = {path: sha256 for path, sha256 in before.good.items() if self._is_in(path, round_)}
        lost = {path: sha256 for path, sha256 in points.items() if path not in there}
        if round_.kind == "drained" and 2 * len(lost) <= len(points):
            return []
        wrong = self._quiet(lost)
        if not wrong:
            root = self._base / str(round_.doubted)
            indexer("scan", root, "--accept-deletions", "--home", self._home)
        return [f"before the deletions were accepted: {one}" for one in wrong]

    @staticmethod
    def _is_in(path: str, round_: Round) -> bool:
        return path.startswith(f"{round_.doubted}/")

    def _ended(self, round_: Round) -> list[str]:
        """The end of the daemon changes nothing in the store."""
        if round_.ending == "go on":
            return []
        if round_.ending == "end":
            self._victim.end()
        else:
            self._victim.kill()
            self.totals.kills += 1
        wanted = expected(self._world)
        return self._oracle.store(wanted.good) or self._oracle.doctor(wanted, set())
