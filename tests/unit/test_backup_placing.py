"""What was restored takes its place, though the process may die between any two steps."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from indexer.backup.placing import finish, in_the_way
from shared.settings import Settings

OLD = {"store/a/x": "old", "journal.sqlite3": "old", "journal.sqlite3-wal": "old log"}
NEW = {
    "store/b/x": "new",
    "journal.sqlite3": "new",
    "roots.json": "new",
    "models/current.json": "new",
    "models/encoders/e/manifest.json": "new",
}


class Died(BaseException):
    """The process ended here."""


def _fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _held(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def _dying_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change of a folder counts as a step; the process dies before that of this number."""
    taken = [0]

    def dying(name: str) -> None:
        module = shutil if name in ("rmtree", "copy2") else os
        real = getattr(module, name)

        def change(*arguments: object, **options: object) -> object:
            taken[0] += 1
            if taken[0] == step:
                raise Died
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, change)

    for name in ("rename", "replace", "copy2", "rmtree"):
        dying(name)


def _another_disk(*_: object) -> None:
    raise OSError(errno.EXDEV, "another disk")


@pytest.mark.parametrize("models", ["in the home", "elsewhere", "on another disk"])
def test_it_ends_as_it_should_wherever_it_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: str
) -> None:
    split = models != "in the home"
    step, died = 1, True
    while died:
        home = tmp_path / f"{step}" / "home"
        settings = Settings(home, models_folder=str(home.parent / "m") if split else None)
        _fill(home, OLD)
        _fill(settings.models, {"current.json": "old", "next.json": "old"})
        (settings.home / "settings.toml").write_text("mine")
        _fill(home / ".restored", NEW)
        with monkeypatch.context() as patched:
            if models == "on another disk":
                patched.setattr(os, "rename", _another_disk)
            with patched.context() as dying:
                _dying_at(step, dying)
                try:
                    finish(settings)
                    died = False
                except Died:
                    died = True
            if died:
                assert (home / ".restored").exists()
                finish(settings)
        wanted = {name: text for name, text in NEW.items() if not name.startswith("models/")}
        wanted |= {f"before-restore-1/{name}": text for name, text in OLD.items()}
        wanted |= {"settings.toml": "mine"}
        found = _held(home)
        aside = f"before-restore-1/{settings.models.name}"
        for name in ("current.json", "next.json"):
            assert found.pop(f"{aside}/{name}") == "old"
        new_models = {
            name.removeprefix("models/"): text
            for name, text in NEW.items()
            if name.startswith("models/")
        }
        assert _held(settings.models) == new_models
        if not split:
            found = {name: text for name, text in found.items() if not name.startswith("models/")}
        assert found == wanted, step
        step += 1
    assert step > 6


def test_without_anything_restored_nothing_happens(tmp_path: Path) -> None:
    _fill(tmp_path, OLD)
    assert finish(Settings(tmp_path)) is None
    assert _held(tmp_path) == OLD


def test_empty_folders_and_settings_are_not_in_the_way(tmp_path: Path) -> None:
    _fill(tmp_path, {"settings.toml": "mine", "run/indexer.lock": ""})
    (tmp_path / "store" / "lost+found").mkdir(parents=True)
    (tmp_path / "models").mkdir()
    assert in_the_way(Settings(tmp_path)) == []
    _fill(tmp_path, OLD)
    assert {path.name for path in in_the_way(Settings(tmp_path))} == {
        "store",
        "journal.sqlite3",
        "journal.sqlite3-wal",
    }
