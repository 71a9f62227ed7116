"""What the crasher believes is on the disk: every path with its bytes, and nothing else.

The model is its own oracle: it knows the rules for names by heart and shares no code with the
indexer's listing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ROOTS = ("a", "b")
"""The watched folders. Every path of the model begins with one of them or with `OUTSIDE`."""
OUTSIDE = "outside"

Act = Literal[
    "write", "replace", "append", "rename", "copy", "link", "symlink", "delete", "delete tree",
    "new root", "kill", "start", "stop", "continue", "end", "query", "recluster",
]  # fmt: skip
"""What a step does: to files, to a root, or to the daemon."""

DAEMON_ACTS = ("kill", "start", "stop", "continue", "end", "query", "recluster")
"""The acts that change no file."""

_UNFINISHED = (".part", ".crdownload", ".tmp", "~")
"""Of the names that are passed over, those that the plan uses."""


@dataclass(frozen=True, slots=True)
class Step:
    """One act, `wait` seconds after the one before. `value` is the setting of a `start`."""

    wait: float
    act: Act
    path: str = ""
    to: str = ""
    data: bytes = b""
    keep_times: bool = False
    value: float = 0.0


@dataclass(slots=True, eq=False)
class Node:
    """A file or a link. Two names of one file (a hard link) share their node."""

    data: bytes
    is_link: bool = False


class World:
    """The files by path."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def apply(self, step: Step) -> None:
        """Follow one step; acts of the daemon change nothing here."""
        path, nodes = step.path, self.nodes
        if step.act == "write" and path in nodes:
            nodes[path].data = step.data
        elif step.act in ("write", "replace"):
            nodes[path] = Node(step.data)
        elif step.act == "append":
            nodes[path].data += step.data
        elif step.act == "copy":
            nodes[step.to] = Node(nodes[path].data)
        elif step.act == "link":
            nodes[step.to] = nodes[path]
        elif step.act == "symlink":
            nodes[step.to] = Node(b"", is_link=True)
        elif step.act == "rename":
            self._rename(path, step.to)
        elif step.act == "delete":
            del nodes[path]
        elif step.act in ("delete tree", "new root"):
            for name in self.below(path):
                del nodes[name]

    def _rename(self, old: str, new: str) -> None:
        if old in self.nodes:
            self.nodes[new] = self.nodes.pop(old)
        for name in self.below(old):
            self.nodes[new + name[len(old) :]] = self.nodes.pop(name)

    def below(self, folder: str) -> list[str]:
        """Every path below a folder, sorted."""
        return sorted(name for name in self.nodes if name.startswith(folder + "/"))

    def eligible(self, folder: str) -> list[str]:
        """The paths below a folder that an indexer must look at, sorted."""
        return [name for name in self.below(folder) if is_eligible(name, self.nodes[name])]

    def folders(self, root: str) -> list[str]:
        """The folders of a root that hold something, without the root itself, sorted."""
        parents = {name.rpartition("/")[0] for name in self.below(root)}
        return sorted(parents - {root})


def is_eligible(path: str, node: Node) -> bool:
    """Whether the indexer must have an opinion about this path."""
    return not (
        node.is_link
        or any(part.startswith(".") for part in path.split("/"))
        or path.endswith(_UNFINISHED)
    )
