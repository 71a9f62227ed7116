"""The long-lived commands of a home, running while it is asked."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import ours
from searcher.asked import Wish
from searcher.remote.home_service import running_service
from shared.daemon_report import read_report
from shared.settings import load_settings

READY_SECONDS = 120.0


@contextmanager
def daemon(home: Path) -> Iterator[None]:
    """`indexer watch` on what the home remembers, once it has looked at all of it."""
    run = load_settings({"home": home}).run

    def ready() -> bool:
        report = read_report(run)
        return report is not None and report.state == "watching"

    with _running([*ours("indexer"), "watch", "--home", str(home)], ready):
        yield


@contextmanager
def service(home: Path) -> Iterator[None]:
    """`searcher serve` on a free port; the home's own queries reach it over its socket."""
    settings = load_settings({"home": home})

    def ready() -> bool:
        found = running_service(settings, Wish())
        if found is not None:
            found.close()
        return found is not None

    with _running([*ours("searcher"), "serve", "--home", str(home), "--port", "0"], ready):
        yield


@contextmanager
def _running(command: list[str], ready: Callable[[], bool]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)} does not get ready")
                time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
