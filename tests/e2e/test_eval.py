"""`searcher eval` as people run it; every figure worked by hand on eighteen pictures."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from searcher.cli import application
from shared.roots import write_roots
from shared.settings import Settings
from shared.store.hub import open_store
from tests.homes import draw_photos, make_home


@dataclass(frozen=True)
class Place:
    """Six red, six green and six blue pictures, a cluster each; tests that change any copy it."""

    settings: Settings
    photos: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Place:
    folder = tmp_path_factory.mktemp("place")
    draw_photos(folder / "photos")
    return Place(make_home(folder / "home", folder / "photos", tiny_tflite), folder / "photos")


def run(home: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `searcher eval`."""
    done = CliRunner().invoke(
        application(), ["eval", "--home", str(home), *arguments], prog_name="searcher"
    )
    return done.exit_code, done.stdout, done.stderr


def evaluated(place: Place, folder: Path, *arguments: str, said: str = "") -> dict[str, Any]:
    code, out, err = run(place.settings.home, str(folder), "--json", *arguments)
    assert code == 0, err
    assert said in err
    assert bool(err) == bool(said), err
    value = json.loads(out)
    assert isinstance(value, dict)
    return value


def test_every_number_of_leaving_one_out(place: Place) -> None:
    value = evaluated(place, place.photos)
    assert list(value) == [
        *("queries", "total", "k", "labelled", "labels", "floors", "probes"),
        *("timed", "took_ms", "refused"),
    ]
    assert (value["queries"], value["total"], value["labelled"]) == (18, 18, 18)
    assert (value["k"], value["timed"], value["refused"]) == (10, 18, 0)
    # The five others of its colour come first, then five of other colours.
    assert value["labels"] == {"p_at_10": 0.5, "map_at_100": 1.0}
    assert [row["probes"] for row in value["probes"]] == [1, 2, "all"]
    one, two, everything = value["probes"]
    assert 0.5 < two["recall_at_10"] < 1.0  # some of the five are of the third colour
    assert two["coverage"] == 0.6667
    # Its cluster has the five others of its colour and nothing else.
    assert (one["probes"], one["recall_at_10"], one["coverage"]) == (1, 0.5, 0.3333)
    assert (one["p_at_10"], one["map_at_100"]) == (0.5, 1.0)
    assert (everything["probes"], everything["recall_at_10"]) == ("all", 1.0)
    assert (everything["coverage"], everything["p_at_10"]) == (1.0, 0.5)
    assert set(value["floors"]) == {"pca_512", "color_histogram"}
    for floor in value["floors"].values():
        assert 0 < floor["p_at_10"] <= 0.5
        assert 0 < floor["map_at_100"] <= 1
    for row in (*value["took_ms"].values(), {"p50": one["ms_p50"], "p99": one["ms_p99"]}):
        assert 0 < row["p50"] <= row["p99"]


def test_the_names_follow_k(place: Place) -> None:
    value = evaluated(place, place.photos, "-k", "5", "--no-floors")
    assert value["labels"] == {"p_at_5": 1.0, "map_at_100": 1.0}
    assert value["probes"][0]["recall_at_5"] == 1.0
    assert value["floors"] is None


def test_copies_elsewhere_are_strangers_that_find_their_originals(
    place: Place, tmp_path: Path
) -> None:
    shutil.copytree(place.photos, tmp_path / "copies")
    (tmp_path / "copies/red/broken.jpg").write_bytes(b"no picture")
    value = evaluated(place, tmp_path / "copies")
    assert (value["queries"], value["refused"]) == (18, 1)
    # Nothing is left out, so all six of the colour are found.
    assert value["labels"] == {"p_at_10": 0.6, "map_at_100": 1.0}
    assert value["probes"][0]["recall_at_10"] == 0.6
    assert value["floors"]["color_histogram"]["p_at_10"] <= 0.6


def test_a_sample_is_drawn_by_its_seed(place: Place) -> None:
    first, again = (
        evaluated(place, place.photos, "--sample", "7", "--seed", "1", "--no-floors")
        for _ in range(2)
    )
    assert first["queries"] == first["timed"] == 7
    assert first["labels"] == again["labels"]


def test_without_labels_the_rest_is_measured(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.photos / "red", tmp_path / "red")
    value = evaluated(place, tmp_path / "red", said="no labels: ")
    assert value["labels"] is value["floors"] is None
    assert value["labelled"] == 0
    assert value["probes"][0]["p_at_10"] is value["probes"][0]["map_at_100"] is None
    assert value["probes"][0]["recall_at_10"] == 0.6
    # A folder inside the root leaves itself out as well, but begins its labels deeper.
    inside = evaluated(place, place.photos / "red", said="no labels: ")
    assert inside["probes"][0]["recall_at_10"] == 0.5


def test_floors_need_the_indexed_files(place: Place, tmp_path: Path) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    shutil.copytree(place.photos, photos)
    shutil.copytree(place.settings.home, home)
    moved = Place(Settings(home=home), photos)
    (root,) = json.loads((home / "roots.json").read_text())["roots"]
    write_roots(home, {root: photos})
    assert evaluated(moved, photos)["labels"]["p_at_10"] == 0.5
    (photos / "red/0.jpg").unlink()
    said = f"no floors: {photos / 'red/0.jpg'} cannot be read"
    value = evaluated(moved, photos, said=said)
    assert (value["queries"], value["floors"]) == (17, None)
    write_roots(home, {})
    evaluated(moved, photos, said="not known on this machine")


def test_a_collection_too_large_for_floors(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searcher.quality.floor_quality.MOST_IMAGES", 17)
    said = "no floors: 18 images are indexed, more than 17"
    assert evaluated(place, place.photos, said=said)["floors"] is None


def test_the_table(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.photos, tmp_path / "copies")
    for number in range(7):
        (tmp_path / f"copies/red/n{number}.txt").write_text("no picture")
    code, out, err = run(place.settings.home, str(tmp_path / "copies"))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'copies'} · 18 queries · 18 indexed · 0 of")
    assert lines[2].split()[:4] == ["probes", "recall@10", "expected", "coverage"]
    assert lines[3].split()[:3] == ["1", "0.600", "33%"]  # not calibrated
    assert lines[4].split()[0] == "2"
    assert lines[4].split()[2] == "67%"
    assert lines[5].split()[:4] == ["all", "1.000", "1.000", "100%"]
    assert lines[7].split() == ["P@10", "mAP@100"]
    assert lines[8].split(maxsplit=2) == ["0.600", "1.000", "own cluster"]
    assert lines[9].split(maxsplit=2) == ["0.600", "1.000", "2 nearest clusters"]
    assert lines[10].split(maxsplit=2) == ["0.600", "1.000", "whole collection"]
    assert lines[11].endswith("floor: PCA, 512 components")
    assert lines[12].endswith("floor: colour histogram")
    assert lines[13] == "18 queries with a label"
    assert lines[15].startswith("ms a query, median (p99) of 18: decode ")
    assert lines[16] == "7 refused:"
    assert lines[17].startswith("  red/n0.txt: is not an image")
    assert lines[-1] == "  and 2 more"
    assert len(lines) == 23


def test_beside_a_running_owner(place: Place) -> None:
    encoder = next((place.settings.models / "encoders").glob("[0-9a-f]*")).name
    owner = open_store(place.settings, encoder, role="owner")
    try:
        assert evaluated(place, place.photos, "--no-floors")["labels"]["p_at_10"] == 0.5
    finally:
        owner.close()


def failed(home: Path, *arguments: str) -> str:
    code, out, err = run(home, *arguments)
    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


def test_what_cannot_be_asked_is_one_line(place: Place, tmp_path: Path) -> None:
    home = place.settings.home
    assert "does not exist" in failed(home, str(tmp_path / "nope"))
    assert "is not a folder" in failed(home, str(place.photos / "red/0.jpg"))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no file" in failed(home, str(empty))
    (empty / "note.txt").write_text("no picture")
    assert f"no file in {empty} can be asked with: note.txt is not an image" in failed(
        home, str(empty)
    )
    assert "indexer watch" in failed(tmp_path / "nothing", str(place.photos))
    assert not (tmp_path / "nothing").exists()


def test_a_home_without_store_or_points(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.settings.home, tmp_path / "home")
    settings = Settings(home=tmp_path / "home")
    (encoder,) = [path.name for path in settings.store.iterdir()]
    store = open_store(settings, encoder)
    store.delete(sorted(store.ids()))
    store.close()
    assert "nothing is indexed yet" in failed(settings.home, str(place.photos))
    shutil.rmtree(settings.store)
    assert "indexer scan" in failed(settings.home, str(place.photos))
    assert not settings.store.exists()


@pytest.mark.parametrize(
    "arguments", [("-k", "0"), ("-k", "1001"), ("--sample", "0"), ("--seed", "-1"), ("--x",)]
)
def test_wrong_usage_is_exit_code_2(place: Place, arguments: tuple[str, ...]) -> None:
    code, out, err = run(place.settings.home, str(place.photos), *arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err


def test_as_many_clusters_as_need_be(place: Place, tmp_path: Path, tiny_tflite: Path) -> None:
    settings = make_home(tmp_path / "home", place.photos, tiny_tflite, calibrated=True)
    calibrated = Place(settings, place.photos)
    figure = tmp_path / "probes.png"
    value = evaluated(calibrated, place.photos, "--no-floors", "--figure", str(figure))
    ways = {row["probes"]: row for row in value["probes"]}
    assert list(ways) == [1, 2, "auto", "all"]
    # Half of the ten nearest are of another colour, so that one cluster is not enough.
    assert ways["auto"]["recall_at_10"] >= 0.95 > ways[1]["recall_at_10"]
    assert ways[1]["coverage"] < ways["auto"]["coverage"] <= 1
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_no_figure_is_written_among_the_pictures(place: Place) -> None:
    inside = str(place.photos / "red/0.png")
    assert "where nothing is written" in failed(
        place.settings.home, str(place.photos), "--figure", inside
    )


def test_labels_from_a_table(place: Place, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    rows = [
        f"{color}/{number}.jpg,{'warm' if color == 'red' else 'cold'}"
        for color in ("red", "green", "blue")
        for number in range(6)
    ]
    table.write_text("\n".join(["file,label", *rows, "gone.jpg,warm"]))
    said = "1 row for files that are not there"
    value = evaluated(
        place, place.photos, "--labels", str(table), "-k", "5", "--no-floors", said=said
    )
    assert value["labelled"] == 18
    assert value["labels"]["p_at_5"] == 1.0
    table.write_text("name,kind\n")
    code, out, err = run(place.settings.home, str(place.photos), "--labels", str(table))
    assert (code, out) == (2, "")
    assert "it must name the columns, file and label" in err
