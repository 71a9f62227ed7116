"""Rounds of steps that derive from a seed alone, so that a failing seed can be run again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tests.faults.crasher.content import no_picture
from tests.faults.crasher.files import FileSteps
from tests.faults.crasher.world import OUTSIDE, ROOTS, Act, Step, World

Kind = Literal["usual", "drained", "remade"]
"""usual: deletions stay below half of a root. drained: one root loses more than half at once, while
nobody watches. remade: one root is replaced by a new folder. The last two need the user's word."""

FIRST_FILES = 24
"""Files that each root begins with."""
DAEMON_SHARE = 0.25
"""After this share of the steps something happens to the daemon."""


@dataclass(frozen=True, slots=True)
class Round:
    """Steps, and how the round ends: `doubted` is the root whose losses wait for the user."""

    number: int
    kind: Kind
    steps: tuple[Step, ...]
    doubted: str | None = None
    ending: Literal["go on", "end", "kill"] = "go on"


class Plan:
    """An endless sequence of rounds on a model of the disk, which is brought along."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.world = World()
        self._files = FileSteps(self._random, self.world)
        self._daemon = "dead"

    def rounds(self) -> Iterator[Round]:
        """Each round is planned on the world as the one before left it."""
        yield Round(0, "usual", (*self._files.first(FIRST_FILES), *self._to_rest()))
        number = 0
        while True:
            number += 1
            kind, doubted = self._kind()
            steps = self._usual() if doubted is None else self._doubtful(kind, doubted)
            steps += self._to_rest()
            ending = self._random.choices(("go on", "end", "kill"), (5, 3, 2))[0]
            if ending != "go on":
                self._daemon = "dead"
            yield Round(number, kind, tuple(steps), doubted, ending)  # type: ignore[arg-type]

    def _kind(self) -> tuple[Kind, str | None]:
        """Mostly usual; a root with few files is left to grow."""
        kind: Kind = self._random.choices(("usual", "drained", "remade"), (8, 1, 1))[0]
        root = self._random.choice(ROOTS)
        if kind == "usual" or len(self.world.eligible(root)) < FIRST_FILES // 2:
            return "usual", None
        return kind, root

    def _usual(self) -> list[Step]:
        self._files.new_budget()
        steps: list[Step] = []
        for _ in range(self._random.randint(10, 40)):
            for step in self._files.some():
                steps.append(replace(step, wait=self._wait() if not step.wait else step.wait))
                if self._random.random() < DAEMON_SHARE:
                    steps.append(self._daemon_step())
        return steps

    def _doubtful(self, kind: Kind, root: str) -> list[Step]:
        """Losses that no listing may see in part: nobody watches, or all goes with one rename."""
        if kind == "drained":
            steps = self._to("dead")
            names = self.world.eligible(root)
            self._random.shuffle(names)
            doomed = names[: round(len(names) * self._random.uniform(0.6, 0.95))]
            # Whoever keeps another name has moved rather than gone.
            gone = {id(self.world.nodes[name]) for name in doomed}
            doomed = [name for name in names if id(self.world.nodes[name]) in gone]
            steps += [self._files.did(Step(0.0, "delete", name)) for name in doomed]
        else:
            steps = self._to(self._random.choice(("running", "running", "stopped", "dead")))
            away = f"{OUTSIDE}/old {self._files.fresh()}"
            kept = {name: self.world.nodes[name].data for name in self.world.eligible(root)}
            steps.append(self._files.did(Step(self._wait(), "rename", root, away)))
            steps.append(self._files.did(Step(self._wait(), "new root", root)))
            for name in self._random.sample(sorted(kept), len(kept) // 4):
                steps.append(self._files.did(Step(0.0, "write", name, data=kept[name])))
            steps.append(self._files.did(Step(self._wait(), "delete tree", away)))
        steps += [self._files.make(root) for _ in range(self._random.randint(0, 4))]
        if self._random.random() < 0.3:
            steps += self._to("dead")
        return steps

    def _daemon_step(self) -> Step:
        """One thing that happens to the daemon, as far as its state allows."""
        if self._daemon == "dead":
            return self._start()
        if self._daemon == "stopped":
            self._daemon = self._random.choice(("running", "running", "dead"))
            return Step(self._wait(), "kill" if self._daemon == "dead" else "continue")
        acts: tuple[Act, ...] = ("kill", "stop", "end", "query", "recluster", "write")
        chance = self._random.choices(acts, (5, 3, 2, 6, 1, 1))[0]
        if chance == "write":
            return self._bad_file()
        if chance in ("kill", "end"):
            self._daemon = "dead"
        elif chance == "stop":
            self._daemon = "stopped"
        # Long enough for files to have come to rest and be under way.
        return Step(round(self._random.uniform(0.0, 1.0), 3), chance)

    def _bad_file(self) -> Step:
        """A bad file of a name of its own."""
        path = f"{self._random.choice(ROOTS)}/bad {self._files.fresh()}.jpg"
        return self._files.did(Step(0.0, "write", path, data=no_picture(self._random)))

    def _start(self) -> Step:
        self._daemon = "running"
        rescan = self._random.choice((600.0, 600.0, 1.0))
        return Step(self._wait(), "start", value=rescan)

    def _to(self, state: Literal["running", "stopped", "dead"]) -> list[Step]:
        """Bring the daemon into a state."""
        steps = self._to_rest() if state != "dead" else []
        if state == "stopped":
            steps.append(Step(0.0, "stop"))
        elif state == "dead" and self._daemon != "dead":
            steps.append(Step(self._wait(), "kill"))
        self._daemon = state
        return steps

    def _to_rest(self) -> list[Step]:
        """Steps after which the daemon runs."""
        state, self._daemon = self._daemon, "running"
        if state == "dead":
            return [self._start()]
        return [Step(0.1, "continue")] if state == "stopped" else []

    def _wait(self) -> float:
        """Mostly quick, now and then long enough for a file to come to rest."""
        if self._random.random() < 0.15:
            return round(self._random.uniform(0.3, 0.9), 3)
        return round(self._random.uniform(0.0, 0.12), 3)
