"""Real `indexer` processes for tests: started, asked through `status`, stopped in any way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 60.0
"""Only a broken program takes so long; nothing is measured by it."""


def indexer(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `indexer` to its end."""
    return run("indexer", arguments, check=check)


def searcher(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `searcher` to its end."""
    return run("searcher", arguments, check=check)


def run(
    command: str, arguments: Sequence[str | Path], *, check: bool
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in a process of its own, as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", command, *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        timeout=DEADLINE_SECONDS * 4,
    )
    if check and done.returncode:
        raise AssertionError(f"{command} {arguments} exited {done.returncode}:\n{done.stderr}")
    return done


def status(home: Path) -> dict[str, Any]:
    """What `indexer status --json` says."""
    found: dict[str, Any] = json.loads(indexer("status", "--home", home, "--json").stdout)
    return found


class Watch:
    """A running `indexer watch`. As a context, it is killed at the end if it still runs.

    `under`: a command that runs the rest of its line in its own place, `setpriv ...` for one.
    `command`: what runs in place of `watch`.
    """

    def __init__(
        self,
        home: Path,
        *arguments: str | Path,
        under: Sequence[str] = (),
        command: Sequence[str] = ("watch",),
        **environment: str,
    ) -> None:
        self.home = home
        self.log = home.parent / f"{home.name}-watch.log"
        quick = {"LOOKALIKE_SETTLE_SECONDS": "0.3", "LOOKALIKE_DECODE_WORKERS": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(*under, sys.executable, "-m", "indexer", *command, "--home", home),
                    *map(str, arguments),
                ],
                env=os.environ | quick | environment,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait_until(
        self, true: Callable[[dict[str, Any]], bool], seconds: float = DEADLINE_SECONDS
    ) -> dict[str, Any]:
        """Ask `status` until it satisfies `true`; fails with the log when time is over."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.status()
            if found is not None and true(found):
                return found
            if self.process.poll() is not None:
                raise AssertionError(f"watch exited {self.process.returncode}: {self.text()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {found}\n{self.text()}")
            time.sleep(0.1)

    def status(self) -> dict[str, Any] | None:
        """The state as the journal has it, without the cost of another process."""
        from indexer.status import gather
        from shared.settings import load_settings

        return gather(load_settings({"home": self.home}, {})) if self.home.exists() else None

    def settled(self, images: int, **wanted: Any) -> dict[str, Any]:
        """Wait until that many images are indexed and nothing is left to do."""
        return self.wait_until(
            lambda found: (
                found["images"] == images
                and found["backlog"] == 0
                and found["state"] == "watching"
                and all(found[key] == value for key, value in wanted.items())
            )
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(errors="replace")
