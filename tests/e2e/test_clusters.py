"""`searcher clusters` as people run it, on eighteen pictures in three clear groups."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from searcher.cli import application
from tests.homes import draw_photos, make_home

HOSTILE = "<img src=x onerror=alert(1)>&'\".jpg"


@dataclass(frozen=True)
class Place:
    home: Path
    photos: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Place:
    folder = tmp_path_factory.mktemp("place")
    draw_photos(folder / "photos")
    shutil.move(folder / "photos/red/0.jpg", folder / "photos/red" / HOSTILE)
    make_home(folder / "home", folder / "photos", tiny_tflite)
    return Place(folder / "home", folder / "photos")


def run(home: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `searcher clusters`."""
    command = ["clusters", "--home", str(home), *arguments]
    done = CliRunner().invoke(application(), command, prog_name="searcher")
    return done.exit_code, done.stdout, done.stderr


def test_three_clusters_of_six(place: Place) -> None:
    code, out, err = run(place.home, "--json", "--samples", "2")
    assert (code, err) == (0, "")
    value = json.loads(out)
    assert list(value) == ["encoder", "generation", "total", "unlabelled", "clusters"]
    assert (value["generation"], value["total"], value["unlabelled"]) == ("g1", 18, 0)
    colors = set()
    for cluster in value["clusters"]:
        assert (cluster["size"], cluster["share"]) == (6, 0.3333)
        assert 0 < cluster["spread"]["mean"] <= cluster["spread"]["p95"] < 1
        first, second = cluster["samples"]
        assert 0 < first["distance"] <= second["distance"] <= cluster["spread"]["mean"] + 1e-4
        assert first["root"] == str(place.photos.resolve())
        colors |= {sample["path"].partition("/")[0] for sample in cluster["samples"]}
    assert colors == {"red", "green", "blue"}
    assert len({cluster["label"] for cluster in value["clusters"]}) == 3


def test_the_table_names_every_picture(place: Place) -> None:
    code, out, err = run(place.home)
    assert (code, err) == (0, "")
    assert out.startswith("18 pictures in 3 clusters of generation g1\n")
    for path in place.photos.rglob("*.jpg"):
        assert str(path.relative_to(place.photos)) in out
    assert ".jpg" not in run(place.home, "--samples", "0")[1]


def test_the_map_holds_all_pictures_and_no_markup_of_theirs(place: Place, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    code, _, err = run(place.home, "--html", str(page))
    assert (code, err) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert text.count("data-image=") == 18
    assert "18 of them on the map by t-SNE" in text
    assert "<img src=x" not in text
    assert "red/&lt;img src=x onerror=alert(1)&gt;&amp;&#x27;&quot;.jpg" in text


def test_without_the_extra_the_map_is_plainer_and_says_so(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    page = tmp_path / "map.html"
    code, out, err = run(place.home, "--html", str(page), "--points", "12", "--json")
    assert code == 0
    assert json.loads(out)["total"] == 18
    assert err.count("\n") == 1
    assert "pip install 'lookalike[map]'" in err
    text = page.read_text(encoding="utf-8")
    assert "12 of them on the map by PCA" in text
    assert "pip install &#x27;lookalike[map]&#x27;" in text


def test_the_sheet(place: Place, tmp_path: Path) -> None:
    sheet = tmp_path / "clusters.png"
    assert run(place.home, "--sheet", str(sheet), "--samples", "4")[0] == 0
    with Image.open(sheet) as image:
        small = image.convert("RGB").reduce(8)
    colors = {
        max(range(3), key=pixel.__getitem__)
        for pixel in small.get_flattened_data()
        if max(pixel) - min(pixel) > 100
    }
    assert colors == {0, 1, 2}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--samples", "-1"), "-1 is not in the range"),
        (("--points", "0"), "0 is not in the range"),
        (("--seed", "x"), "'x' is not a valid int"),
        (("--sheet", "clusters.gif"), "clusters.gif: use a name in .png"),
    ],
)
def test_wrong_usage(place: Place, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(place.home, *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.replace("│", " ").split())


def test_nothing_is_written_among_the_pictures(place: Place) -> None:
    for option in ("--html", "--sheet"):
        code, out, err = run(place.home, option, str(place.photos / "new.png"))
        assert (code, out) == (1, "")
        assert "lies in the indexed folder" in err
    assert not (place.photos / "new.png").exists()


def test_before_any_model_or_scan(tmp_path: Path, home: Path) -> None:
    code, _, err = run(tmp_path / "empty")
    assert (code, err.count("\n")) == (1, 1)
    assert "no model" in err
    code, _, err = run(home)
    assert (code, err.count("\n")) == (1, 1)
    assert "scan" in err
