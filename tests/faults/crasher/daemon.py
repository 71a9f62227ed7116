"""The daemon under test, and queries beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.daemons import Watch

SETTLE_SECONDS = 0.25
STOP_SECONDS = 10.0
"""A daemon that is asked to stop must be gone by then."""
QUERY_SECONDS = 60.0


@dataclass(slots=True)
class Victim:
    """One home's daemon: started, stopped, killed. What it did wrong is in `complaints`."""

    home: Path
    roots: list[Path]
    complaints: list[str] = field(default_factory=list)
    watch: Watch | None = None
    disturbed: bool = False
    _is_known: bool = False
    _log_read: int = 0
    _queries: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, rescan_seconds: float) -> None:
        """Start it; small batches and flushes make more moments to die at.

        The first start names the roots; later ones remember them, even where one is missing.
        """
        named, self._is_known = ([] if self._is_known else self.roots), True
        self.watch = Watch(
            self.home,
            *named,
            LOOKALIKE_SETTLE_SECONDS=str(SETTLE_SECONDS),
            LOOKALIKE_RESCAN_SECONDS=str(rescan_seconds),
            LOOKALIKE_BATCH_SIZE="5",
            LOOKALIKE_FLUSH_POINTS="7",
        )

    def send(self, number: signal.Signals) -> None:
        """A signal that does not end it."""
        if self.watch is not None:
            self.watch.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        if self.watch is not None:
            self._check_alive()
            self.watch.process.kill()
            self.watch.process.wait()
            self.watch = None

    def end(self) -> None:
        """SIGTERM, which must end it well and soon."""
        if self.watch is None:
            return
        self._check_alive()
        self.watch.process.terminate()
        try:
            code = self.watch.process.wait(STOP_SECONDS)
            # Before Python has come up there is nobody to handle the signal.
            if code not in (0, -signal.SIGTERM):
                self.complaints.append(f"the daemon ended with {code} after SIGTERM")
        except subprocess.TimeoutExpired:
            self.complaints.append(f"the daemon still runs {STOP_SECONDS:g} s after SIGTERM")
            self.watch.process.kill()
            self.watch.process.wait()
        self.watch = None

    @property
    def log(self) -> Path:
        """What every daemon of this home wrote on standard error."""
        return self.home.parent / f"{self.home.name}-watch.log"

    def is_alive(self) -> bool:
        """Whether it runs, as it should from its start on."""
        return self.watch is not None and self.watch.process.poll() is None

    def close(self) -> None:
        """End all that still runs, whatever the state."""
        if self.watch is not None:
            self.watch.process.kill()
            self.watch.process.wait()
        for process in self._queries:
            process.kill()
            process.communicate()

    def check_log(self) -> None:
        """No traceback may stand in what the daemon wrote since the last call."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        if "Traceback" in text[self._log_read :]:
            self.complaints.append(f"a traceback in {self.log}")
        self._log_read = len(text)

    def _check_alive(self) -> None:
        if self.watch is not None and (code := self.watch.process.poll()) is not None:
            self.complaints.append(f"the daemon ended by itself with {code}, see {self.log}")

    def query(self, image: Path) -> None:
        """Ask in the background; `answers` looks at what came."""
        command = [sys.executable, "-m", "searcher", "query", str(image), "--home", str(self.home)]
        self._queries.append(
            subprocess.Popen(
                [*command, "--json", "-n", "500"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"LOOKALIKE_STORE_WAIT_SECONDS": "5"},
            )
        )

    def answers(self) -> int:
        """Wait for every query and judge it; how many there were."""
        queries, self._queries = self._queries, []
        for process in queries:
            try:
                out, err = process.communicate(timeout=QUERY_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                self.complaints.append(f"a query took more than {QUERY_SECONDS:g} s")
                continue
            self.complaints += judge(process.returncode, out, err, excused=self.disturbed)
        return len(queries)


def judge(code: int, out: str, err: str, *, excused: bool) -> list[str]:
    """What is wrong with a query's answer. `excused`: the store's owner died or stood still, so
    that one honest line on standard error is an answer as well."""
    if code == 1 and excused and err.startswith("error: ") and err.count("\n") == 1:
        return []
    if code:
        return [f"a query exited {code}: {err.strip()[-500:]}"]
    found: dict[str, Any] = json.loads(out)
    wrong = []
    generations = {one["cluster"].partition("/")[0] for one in found["results"]}
    generations |= {label.partition("/")[0] for label in found["clusters_searched"]}
    if len(generations) > 1:
        wrong.append(f"a query mixed the generations {sorted(generations)}")
    if len({one["id"] for one in found["results"]}) != len(found["results"]):
        wrong.append("a query gave a point twice")
    return wrong
