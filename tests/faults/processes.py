"""What the kernel tells about running processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def children(process: int) -> list[int]:
    """The process ids of a process's living children."""
    return [child for child, parent in _parents() if parent == process]


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone between the listing and the look
            yield int(path.parent.name), int(_fields(path)[1])


def busy_seconds(process: int) -> float:
    """The processor time that a process has used."""
    fields = _fields(Path(f"/proc/{process}/stat"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(process: int) -> set[Path]:
    """The files that a process has open."""
    found = set()
    for path in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            found.add(path.readlink())
    return found


def _fields(path: Path) -> list[str]:
    """What follows the name, which may hold anything."""
    return path.read_text().rsplit(")", 1)[1].split()


def peak_bytes(process: int) -> int:
    """The most memory that a process has had at a time."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("this kernel does not tell the peak of memory")
