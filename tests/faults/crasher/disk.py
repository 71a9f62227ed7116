"""Carries out the steps of a plan on real folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.faults.crasher.world import Step


def carry_out(base: Path, step: Step) -> None:
    """Do to the disk what `World.apply` does to the model; `base` holds the roots."""
    path, to = base / step.path, base / step.to
    for parent in {path.parent, to.parent} if step.to else {path.parent}:
        parent.mkdir(parents=True, exist_ok=True)
    if step.act == "write":
        _write(path, step)
    elif step.act == "replace":
        beside = path.with_name(f".{path.name}.new"[-200:])
        beside.write_bytes(step.data)
        _put_back_times(beside, os.stat(path) if step.keep_times else None)
        beside.replace(path)
    elif step.act == "append":
        with path.open("ab") as file:
            file.write(step.data)
    elif step.act == "rename":
        path.rename(to)
    elif step.act == "copy":
        shutil.copy2(path, to)
    elif step.act == "link":
        to.hardlink_to(path)
    elif step.act == "symlink":
        to.symlink_to(path)
    elif step.act == "delete":
        path.unlink()
    elif step.act == "delete tree":
        shutil.rmtree(path)
    elif step.act == "new root":
        path.mkdir()


def _write(path: Path, step: Step) -> None:
    """In place: the inode stays, and so does the rest of the world's trust in it."""
    times = os.stat(path) if step.keep_times else None
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(len(step.data))
        file.write(step.data)
    _put_back_times(path, times)


def _put_back_times(path: Path, times: os.stat_result | None) -> None:
    if times is not None:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def read_all(base: Path, folder: str) -> dict[str, bytes | None]:
    """Every file below a folder as it lies on the disk; None for a link."""
    found: dict[str, bytes | None] = {}
    for parent, folders, names in os.walk(base / folder):
        for name in names + [one for one in folders if os.path.islink(os.path.join(parent, one))]:
            path = Path(parent, name)
            relative = os.path.relpath(path, base)
            found[relative] = None if path.is_symlink() else path.read_bytes()
    return found
