"""Steps that change files, each possible on the model as it is at that moment."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.faults.crasher.content import no_picture, picture
from tests.faults.crasher.world import ROOTS, Act, Step, World, is_eligible

LOSSES_SHARE = 0.3
"""A root may lose this share of its files in one round; more than half would be doubted."""
FEW, MANY = 16, 60
"""Files of a root: below, nothing is taken away; above, nothing is added."""
NAMES = (
    "{}.jpg",
    "{}.png",
    "{} two words.JPG",
    "ü{}.jpeg",
    "line\n{}.jpg",
    "raw\udcff{}.jpg",
    "{}",
)


class FileSteps:
    """Chooses steps and applies each to the model at once."""

    def __init__(self, source: random.Random, world: World) -> None:
        self._random, self._world = source, world
        self._number = 0
        self._budget = dict.fromkeys(ROOTS, 0)
        self._before: dict[str, bytes] = {}

    def new_budget(self) -> None:
        """A round begins: how many files each root may lose in it."""
        for root in ROOTS:
            self._budget[root] = int(len(self._world.eligible(root)) * LOSSES_SHARE)

    def first(self, count: int) -> list[Step]:
        """What the roots begin with."""
        self.new_budget()
        return [self.make(root) for root in ROOTS for _ in range(count)]

    def some(self) -> list[Step]:
        """One operation of a random kind; nothing if the one chosen is not possible."""
        ways: dict[Callable[[str], list[Step]], int] = {
            self._make: 4, self._rush: 1, self._change: 5, self._rename: 5, self._spoil: 3,
            self._restore: 4, self._append: 2, self._copy: 4, self._delete: 4, self._rename_tree: 2,
            self._delete_tree: 1, self._unfinished: 3, self._symlink: 1,
        }  # fmt: skip
        way = self._random.choices(list(ways), list(ways.values()))[0]
        return way(self._random.choice(ROOTS))

    def make(self, root: str) -> Step:
        """A new picture somewhere in a root."""
        even = self._random.random() < 0.7
        return self.did(Step(0.0, "write", self._name(root), data=picture(self._random, even=even)))

    def did(self, step: Step) -> Step:
        """Apply a step to the model."""
        self._world.apply(step)
        return step

    def fresh(self) -> int:
        """A number that no name has yet."""
        self._number += 1
        return self._number

    def _make(self, root: str) -> list[Step]:
        full = len(self._world.eligible(root)) >= MANY
        return [] if full else [self.make(root)]

    def _rush(self, root: str) -> list[Step]:
        """Several pictures at once: more than a batch."""
        return [step for _ in range(self._random.randint(6, 14)) for step in self._make(root)]

    def _change(self, root: str) -> list[Step]:
        """Other bytes: of the same size or not, in place or not, with the old time or not."""
        path = self._any(root)
        if path is None:
            return []
        chance = self._random.random
        data = picture(self._random, even=chance() < 0.7)
        act: Act = "write" if chance() < 0.5 else "replace"
        return [self.did(Step(0.0, act, path, data=data, keep_times=chance() < 0.5))]

    def _spoil(self, root: str) -> list[Step]:
        """A picture is cut short or overwritten with rubbish."""
        path = self._any(root)
        if path is None or not self._spend(root):
            return []
        data = self._world.nodes[path].data
        self._before[path] = data
        cut = self._random.random() < 0.5
        bad = data[: self._random.randint(0, 120)] if cut else no_picture(self._random)
        return [self.did(Step(0.0, "write", path, data=bad))]

    def _restore(self, root: str) -> list[Step]:
        """A spoilt file gets its bytes back."""
        spoilt = sorted(path for path in self._before if path in self._world.nodes)
        if not spoilt:
            return []
        path = self._random.choice(spoilt)
        return [self.did(Step(0.0, "write", path, data=self._before.pop(path)))]

    def _append(self, root: str) -> list[Step]:
        """A picture arrives slowly, piece by piece."""
        path, data = self._name(root), picture(self._random)
        size = len(data) // self._random.randint(2, 6) + 1
        steps = [self.did(Step(0.0, "write", path, data=data[:size]))]
        for start in range(size, len(data), size):
            wait = round(self._random.uniform(0.05, 0.4), 3)
            steps.append(self.did(Step(wait, "append", path, data=data[start : start + size])))
        return steps

    def _copy(self, root: str) -> list[Step]:
        """A second name for a content, as a copy or a hard link; the first may go at once."""
        path = self._any(root)
        if path is None or len(self._world.eligible(root)) >= MANY:
            return []
        act: Act = "link" if self._random.random() < 0.3 else "copy"
        steps = [self.did(Step(0.0, act, path, self._name(self._random.choice(ROOTS))))]
        if self._random.random() < 0.4 and self._spend(root):
            steps.append(self.did(Step(0.0, "delete", path)))
        return steps

    def _rename(self, root: str) -> list[Step]:
        """To another name, folder or root; now and then onto another file."""
        path = self._any(root)
        if path is None or not self._spend(root):
            return []
        target = self._random.choice(ROOTS)
        onto = self._any(target) if self._random.random() < 0.15 else None
        if onto is not None and self._world.nodes[onto] is self._world.nodes[path]:
            return []  # two names of one file: the kernel would do nothing
        if onto is not None and not self._spend(target):
            onto = None
        return [self.did(Step(0.0, "rename", path, onto or self._name(target)))]

    def _delete(self, root: str) -> list[Step]:
        path = self._any(root)
        if path is None or not self._spend(root):
            return []
        return [self.did(Step(0.0, "delete", path))]

    def _rename_tree(self, root: str) -> list[Step]:
        folder = self._folder(root)
        if folder is None or not self._spend(root, len(self._world.eligible(folder))):
            return []
        target = self._random.choice(ROOTS)
        steps = [self.did(Step(0.0, "rename", folder, f"{target}/tree {self.fresh()}"))]
        if self._random.random() < 0.5:  # a folder that moved must be watched where it is now
            inside = f"{steps[0].to}/late {self.fresh()}.jpg"
            steps.append(self.did(Step(0.0, "write", inside, data=picture(self._random))))
        return steps

    def _delete_tree(self, root: str) -> list[Step]:
        folder = self._folder(root)
        if folder is None or not self._spend(root, len(self._world.eligible(folder))):
            return []
        return [self.did(Step(0.0, "delete tree", folder))]

    def _unfinished(self, root: str) -> list[Step]:
        """A hidden or unfinished name, renamed to its final one, or the other way round."""
        hidden = [
            name
            for name in self._world.below(root)
            if not is_eligible(name, self._world.nodes[name])
            and not self._world.nodes[name].is_link
        ]
        chance = self._random.random()
        if hidden and chance < 0.5:
            path = self._random.choice(hidden)
            return [self.did(Step(0.0, "rename", path, self._name(root)))]
        form = self._random.choice(
            ("{}/.hidden {}.jpg", "{}/{}.jpg.part", "{}/.folder/{}.jpg", "{}/{}.jpg~")
        )
        name = form.format(root, self.fresh())
        shown = self._any(root) if chance > 0.8 else None
        if shown is not None and self._spend(root):
            return [self.did(Step(0.0, "rename", shown, name))]
        return [self.did(Step(0.0, "write", name, data=picture(self._random)))]

    def _symlink(self, root: str) -> list[Step]:
        path = self._any(root)
        if path is None:
            return []
        return [self.did(Step(0.0, "symlink", path, f"{root}/link {self.fresh()}.jpg"))]

    def _any(self, root: str) -> str | None:
        names = self._world.eligible(root)
        return self._random.choice(names) if names else None

    def _folder(self, root: str) -> str | None:
        names = self._world.folders(root)
        return self._random.choice(names) if names else None

    def _name(self, root: str) -> str:
        """A name that was never used, in the root or in one of its folders, old or new."""
        name = self._random.choice(NAMES).format(self.fresh())
        folders = [folder for folder in self._world.folders(root) if "/." not in folder]
        if folders and self._random.random() < 0.4:
            return f"{self._random.choice(folders)}/{name}"
        if self._random.random() < 0.3:
            return f"{root}/folder {self._number}/{name}"
        return f"{root}/{name}"

    def _spend(self, root: str, count: int = 1) -> bool:
        """Whether the root may lose that many files more."""
        if self._budget[root] < count or len(self._world.eligible(root)) - count < FEW:
            return False
        self._budget[root] -= count
        return True
