"""Docker's commands."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LONG_SECONDS = 1_800


def run(
    *command: str | Path,
    check: bool = True,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end; what it printed. Fails with that if it fails."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=LONG_SECONDS,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def works(*command: str | Path) -> bool:
    """Whether a command can be run and ends well."""
    if shutil.which(str(command[0])) is None:
        return False
    return subprocess.run(list(map(str, command)), capture_output=True, check=False).returncode == 0


@cache
def compose() -> tuple[str, ...] | None:
    """The command: `docker compose`, or the `docker-compose` of before."""
    known = (("docker", "compose"), ("docker-compose",))
    return next((one for one in known if works(*one, "version")), None)


def why_no_engine() -> str | None:
    """What is missing for this test; None if nothing is."""
    if not works("docker", "version"):
        return "no Docker engine answers"
    return None if compose() else "there is no docker compose"
