"""A virtual environment that holds the base installation and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.compose.saying import say

ROOT = Path(__file__).parents[2]
NEEDED = ("LICENSE", "NOTICE", "README.md", "pyproject.toml", "indexer", "searcher", "shared")
ABSENT = ("tensorflow", "keras", "h5py", "matplotlib")
DEADLINE_SECONDS = 60.0

_LOOK = """
import importlib.util, json, sys
from importlib.metadata import distributions
sizes = {
    one.metadata["Name"]: sum(
        path.stat().st_blocks * 512 for file in one.files or () if (path := file.locate()).is_file()
    )
    for one in distributions()
}
there = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
print(json.dumps({"sizes": sizes, "there": there}))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """`folder`: the environment. `variables`: what its commands run with."""

    folder: Path
    variables: dict[str, str]

    @classmethod
    def install(cls, parent: Path) -> Environment:
        """Make the environment below a folder, install, check what came, and print the sizes."""
        source = parent / "source"
        source.mkdir()
        for name in NEEDED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, source / name)
        own = {k: v for k, v in os.environ.items() if not k.startswith(("LOOKALIKE_", "PYTHON"))}
        found = cls(parent / "environment", own | {"LOOKALIKE_HOME": str(parent / "home")})
        started = perf_counter()
        subprocess.run([sys.executable, "-m", "venv", found.folder], check=True)
        pip: list[str] = [found.command("python"), "-m", "pip", "--disable-pip-version-check"]
        constraints = ["--constraint", str(ROOT / "constraints.txt")]
        subprocess.run([*pip, "install", "--quiet", *constraints, str(source)], check=True)
        subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
        say(f"installed in {perf_counter() - started:.0f} s")
        found._look()
        return found

    def command(self, name: str) -> str:
        """The path of a command in the environment."""
        return str(self.folder / "bin" / name)

    def run(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, print what it took, and raise if it exits with another code."""
        name, *others = map(str, arguments)
        started = perf_counter()
        done = subprocess.run(
            [self.command(name), *others],
            env=self.variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        if done.returncode != code:
            raise AssertionError(
                f"{name} {' '.join(others)} exited {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        shown = " ".join([name, *(one.rpartition("/")[2] for one in others)])
        say(f"{perf_counter() - started:5.2f} s  {shown}")
        return done

    def json(self, *arguments: str | Path) -> Any:
        """What a command prints with `--json`."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def start(self, log: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start a command that goes on; both its outputs go to the log."""
        name, *others = map(str, arguments)
        with log.open("wb") as output:
            return subprocess.Popen(
                [self.command(name), *others],
                env=self.variables,
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )

    def _look(self) -> None:
        looked = subprocess.run(
            [self.command("python"), "-c", _LOOK, *ABSENT],
            env=self.variables,
            cwd=self.folder,
            check=True,
            stdout=subprocess.PIPE,
        )
        found = json.loads(looked.stdout)
        if found["there"]:
            raise AssertionError(f"the base installation holds {', '.join(found['there'])}")
        paths = [self.folder, *self.folder.rglob("*")]
        compiled = _mib(path for path in paths if path.suffix == ".pyc")
        say(f"{_mib(paths):.0f} MiB on disk, {compiled:.0f} of it compiled bytecode; the largest:")
        for name, size in sorted(found["sizes"].items(), key=lambda entry: -entry[1])[:10]:
            say(f"{size / 2**20:6.1f} MiB  {name}")


def _mib(paths: Iterable[Path]) -> float:
    """What they take on disk, as `du` counts it."""
    return sum(path.lstat().st_blocks for path in paths) * 512 / 2**20
