"""Whole processes, measured by the operating system's own accounting."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from PIL import Image


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: wall time in seconds, peak resident memory in bytes, its output."""

    seconds: float
    peak_bytes: int
    output: str


_LAUNCHER = """
import json, os, sys, time
out = int(sys.argv[1])
os.set_inheritable(out, False)
began = time.monotonic()
command = [repr(began) if word == "@began" else word for word in sys.argv[2:]]
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.monotonic() - began
os.write(out, json.dumps([seconds, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]).encode())
"""


def run(*command: str | Path, home: Path | None = None) -> Run:
    """Run a command to its end; raises CalledProcessError if it fails.

    Its parent is a process of 10 MB: Linux counts the parent's peak for the child's, so that a
    benchmark that holds arrays would measure itself. The word `@began` in the command becomes the
    `time.monotonic()` of its start.
    """
    environment = dict(os.environ) | ({"LOOKALIKE_HOME": str(home)} if home else {})
    reading, writing = os.pipe()
    with (
        open(reading) as told,
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(writing), *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            pass_fds=(writing,),
            text=True,
        ) as process,
    ):
        os.close(writing)
        output = process.stdout.read() if process.stdout else ""
        seconds, peak, code = json.loads(told.read())
    if code:
        raise subprocess.CalledProcessError(code, command)
    return Run(seconds, peak * (1 if sys.platform == "darwin" else 1024), output)


def ours(name: str) -> tuple[str, str, str]:
    """The command line that starts one of our commands with this interpreter."""
    return sys.executable, "-m", name


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table on standard output."""
    cells = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(f"\n### {title}\n", *lines, sep="\n", flush=True)


def machine() -> str:
    """What the figures were measured on."""
    names = ("ai-edge-litert", "numpy", "pillow", "qdrant-edge-py", "tensorflow")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{len(os.sched_getaffinity(0))} processors, {platform.machine()}, "
        f"Python {platform.python_version()}, {libraries}"
    )


def mosaics(folder: Path, count: int, tiles: int, photos: Sequence[Path]) -> list[Path]:
    """`count` different JPEGs of `tiles` x `tiles` photographs each: real detail at any size.

    Photographs are scaled to 128 pixels. A file that is there already is kept.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    sources = [Image.open(path).convert("RGB").resize((128, 128)) for path in photos]
    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        path = folder / f"{number % 100:02d}" / f"{number:06d}.jpg"
        paths.append(path)
        chosen = random.integers(len(sources), size=(tiles, tiles))
        shift = random.integers(128, size=2)
        if path.exists():
            continue
        path.parent.mkdir(exist_ok=True)
        mosaic = Image.new("RGB", (128 * tiles, 128 * tiles))
        for row, line in enumerate(chosen):
            for column, source in enumerate(line):
                mosaic.paste(sources[source], (128 * column, 128 * row))
        rolled = np.roll(np.asarray(mosaic), shift, axis=(0, 1))
        Image.fromarray(rolled).save(path, quality=85)
    return paths
