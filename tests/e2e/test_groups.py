"""`searcher groups` as people run it, on a real home."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from searcher.cli import application
from shared.settings import Settings
from tests.homes import make_home
from tests.pictures import cropped, encoded, scene


@dataclass(frozen=True)
class Place:
    settings: Settings
    photos: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Place:
    """Eight pictures, one of them three times and one twice."""
    folder = tmp_path_factory.mktemp("place")
    photos = folder / "photos"
    (photos / "more").mkdir(parents=True)
    for number in range(8):
        (photos / f"{number}.jpg").write_bytes(encoded(scene(number)))
    (photos / "more" / "copy.jpg").write_bytes(encoded(scene(0)))
    (photos / "more" / "part.jpg").write_bytes(encoded(cropped(scene(0), 0.03)))
    (photos / "more" / "again.jpg").write_bytes(encoded(scene(1), quality=60))
    return Place(make_home(folder / "home", photos, tiny_tflite), photos)


def run(place: Place, *arguments: str) -> tuple[int, str, str]:
    home = str(place.settings.home)
    done = CliRunner().invoke(
        application(), ["groups", "--home", home, *arguments], prog_name="searcher"
    )
    return done.exit_code, done.stdout, done.stderr


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_table_and_nothing_is_touched(place: Place) -> None:
    before = state(place.photos)
    code, out, err = run(place)
    assert (code, err) == (0, "")
    first, root, _, *rest = out.splitlines()
    assert re.fullmatch(r"11 images · 2 groups with 5 images · \d+\.\d kB in copies", first)
    assert root == f"in {place.photos}"
    assert rest[0].startswith("near · 3 images · ")
    assert [line.split()[-1] for line in rest[1:4]] == ["0.jpg", "more/copy.jpg", "more/part.jpg"]
    assert rest[1].split()[0] == "keep?"
    assert rest[2].split()[:2] == ["exact", "1.000"]
    assert rest[3].split()[0] == "near"
    assert rest[-1].endswith("Nothing was deleted or changed.")
    assert state(place.photos) == before


def test_exact_only_as_json(place: Place) -> None:
    code, out, err = run(place, "--tier", "exact", "--json")
    assert (code, err) == (0, "")
    value = json.loads(out)
    assert (value["total"], value["unread"]) == (11, 0)
    (group,) = value["groups"]
    size = (place.photos / "0.jpg").stat().st_size
    assert (group["tier"], group["saving"], value["saving"]) == ("exact", size, size)
    assert [(image["path"], image["tier"]) for image in group["images"]] == [
        ("0.jpg", None),
        ("more/copy.jpg", "exact"),
    ]


def test_the_page(place: Place, tmp_path: Path) -> None:
    page = tmp_path / "groups.html"
    code, _, err = run(place, "--html", str(page), "--min-size", "3")
    assert (code, err) == (0, "")
    content = page.read_text(encoding="utf-8")
    assert content.count("<img") == 3
    assert content.count('class="keep"') == 1
    assert "Nothing was deleted or changed." in content


def test_no_page_among_the_pictures(place: Place) -> None:
    code, out, err = run(place, "--html", str(place.photos / "groups.html"))
    assert (code, out) == (1, "")
    assert "nothing is written" in err
    assert not (place.photos / "groups.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tier", "alike"), "'alike' is not one of 'exact', 'near', 'similar'"),
        (("--min-size", "1"), "1 is not in the range x>=2"),
    ],
)
def test_wrong_usage(place: Place, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(place, *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_a_home_without_a_model(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        application(), ["groups", "--home", str(tmp_path)], prog_name="searcher"
    )
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_root_finds_the_same_bytes(place: Place, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(place.settings.home, tmp_path / "home")
    (tmp_path / "home" / "roots.json").unlink()
    moved = Place(Settings(home=tmp_path / "home"), place.photos)
    code, out, _ = run(moved)
    assert code == 0
    assert "exact · 2 images" in out
    assert "could not be read as indexed" in out


def test_its_own_process_loads_no_training(place: Place) -> None:
    script = (
        "import sys; from searcher.cli import main; sys.argv[1:] = sys.argv[2:]\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'rich', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(code or sorted(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "-", "groups", "--home", str(place.settings.home)],
        capture_output=True,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"2 groups" in done.stdout
