"""What must hold once things are quiet, worked out from the model alone."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.status import gather
from shared.errors import ImageRefused, LookalikeError
from shared.images import decode
from shared.models import Models
from shared.points import point_id
from shared.roots import root_id
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.types import PixelSpec, shown_path
from tests.daemons import indexer
from tests.faults.crasher.disk import read_all
from tests.faults.crasher.world import ROOTS, World

QUIET_SECONDS = 40.0
"""Longest wait until the store is what it should be; a loaded machine needs some of it."""


@dataclass(slots=True)
class Expected:
    """Paths with the hash of their content, and paths that must be refused."""

    good: dict[str, str] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)


def expected(world: World) -> Expected:
    """What an index of this world holds."""
    found = Expected()
    for root in ROOTS:
        for path in world.eligible(root):
            data = world.nodes[path].data
            if is_picture(data):
                found.good[path] = hashlib.sha256(data).hexdigest()
            else:
                found.bad.add(path)
    return found


@functools.lru_cache(5000)
def is_picture(data: bytes) -> bool:
    """Whether the bytes can be decoded."""
    try:
        decode(data, [PixelSpec(size=64)])
    except ImageRefused:
        return False
    return True


class Oracle:
    """Asks the disk, the store and the doctor; every answer is a list of what is wrong."""

    def __init__(self, base: Path, home: Path) -> None:
        self._base, self._home = base, home
        self._settings = load_settings({"home": home}, {})

    def disk(self, world: World) -> list[str]:
        """The model against the disk: this must hold or the crasher itself is wrong."""
        lies = {path: data for root in ROOTS for path, data in read_all(self._base, root).items()}
        model = {
            path: None if node.is_link else node.data
            for path, node in world.nodes.items()
            if path.split("/")[0] in ROOTS
        }
        return [
            f"the crasher is wrong about {path!r}"
            for path in sorted(lies.keys() | model.keys())
            if lies.get(path, b"-") != model.get(path, b"-")
        ]

    def store(self, wanted: dict[str, str]) -> list[str]:
        """The store, read as a visitor, against the files that should be in it."""
        ids = {self._id(path): path for path in wanted}
        try:
            stored = self._stored()
        except LookalikeError as error:
            return [f"the store cannot be read: {error}"]
        wrong = [f"missing in the store: {ids[key]!r}" for key in ids.keys() - stored.keys()]
        wrong += [
            f"too much in the store: {stored[key][1]!r}" for key in stored.keys() - ids.keys()
        ]
        wrong += [
            f"other content in the store: {path!r}"
            for key, path in ids.items()
            if key in stored and stored[key][0] != wanted[path]
        ]
        return sorted(wrong)

    def state(self, suspended: int) -> list[str]:
        """`indexer status` must say that nothing is left to do, and how much is suspended."""
        found = gather(self._settings)
        wrong = [] if found["state"] == "watching" else [f"the state is {found['state']!r}"]
        wrong += [f"{found['backlog']} files are owed"] if found["backlog"] else []
        wrong += ["the next model is not current"] if found["next"] else []
        told = sum(root["suspended"] for root in found["roots"])
        return wrong + ([] if told == suspended else [f"{told} suspended, not {suspended}"])

    def _stored(self) -> dict[str, tuple[str, str]]:
        """Content hash and path by id."""
        name = Models(self._settings.models).current().encoder
        store = open_store(self._settings, name)
        try:
            found = [point for batch in store.scroll() for point in batch]
        finally:
            store.close()
        by_id = {one.record.id: (one.record.sha256, one.record.path) for one in found}
        if len(by_id) != len(found):
            raise LookalikeError("the store gives a point twice")
        return by_id

    def eventually(
        self, wrong: Callable[[], list[str]], hopeful: Callable[[], bool] = lambda: True
    ) -> list[str]:
        """Ask again until nothing is wrong, patience ends or there is no hope."""
        deadline = time.monotonic() + QUIET_SECONDS
        while (found := wrong()) and time.monotonic() < deadline and hopeful():
            time.sleep(0.25)
        return found

    def doctor(self, wanted: Expected, suspended: set[str]) -> list[str]:
        """`indexer doctor`, and whether its lists are those of the model."""
        done = indexer("doctor", "--home", self._home, "--json", "--deep", check=False)
        if not done.stdout:
            return [f"the doctor exited {done.returncode}: {done.stderr.strip()}"]
        found: dict[str, Any] = json.loads(done.stdout)
        wrong = [] if found["well"] else [f"the doctor found: {json.dumps(_short(found))}"]
        for name, paths in (("refused", wanted.bad), ("suspended", suspended)):
            listed = {(one["root"], one["path"]) for one in found[name]}
            own = {self._shown(path) for path in paths}
            wrong += [f"{name} though it should not be: {one}" for one in sorted(listed - own)]
            wrong += [f"not {name} though it should be: {one}" for one in sorted(own - listed)]
        if found["points"] != len(wanted.good) + len(suspended):
            wrong.append(f"the doctor counts {found['points']} points")
        return wrong

    def _id(self, path: str) -> str:
        root, _, inside = path.partition("/")
        return point_id(root_id(self._base / root), os.fsencode(inside))

    def _shown(self, path: str) -> tuple[str, str]:
        root, _, inside = path.partition("/")
        return root_id(self._base / root), shown_path(os.fsencode(inside))


def _short(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in ("missing", "orphaned", "stale", "problems") if found[key]}
