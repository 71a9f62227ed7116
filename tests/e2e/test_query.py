"""`searcher query` as people run it: against a real home, in this process and in its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from searcher.answer import Answer
from searcher.cli import application
from searcher.query.examples import Question, answer
from searcher.query.options import Request
from searcher.search import Searcher
from shared.models import Models, Pair
from shared.points import point_id
from shared.roots import root_id, write_roots
from shared.settings import Settings
from shared.store.hub import open_store
from tests.homes import draw_photos, make_home

FORBIDDEN = (
    *("tensorflow", "keras", "sklearn", "qdrant_client", "rich", "matplotlib", "asyncio"),
    *("multiprocessing", "concurrent", "urllib.request", "http.client", "ssl"),
    *("searcher.drawn", "searcher.reasons", "searcher.survey", "searcher.quality"),
)


@dataclass(frozen=True)
class Place:
    """Eighteen indexed photographs in three clusters; tests that change any use `fresh`."""

    settings: Settings
    photos: Path

    @property
    def red(self) -> str:
        return str(self.photos / "red" / "0.jpg")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Place:
    folder = tmp_path_factory.mktemp("place")
    draw_photos(folder / "photos")
    settings = make_home(folder / "home", folder / "photos", tiny_tflite)
    return Place(settings, folder / "photos")


@pytest.fixture
def fresh(place: Place, tmp_path: Path) -> Place:
    """A copy of the home, which still speaks of the same photographs."""
    shutil.copytree(place.settings.home, tmp_path / "home")
    return Place(Settings(home=tmp_path / "home"), place.photos)


@dataclass(frozen=True)
class Done:
    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


def ask(place: Place, *arguments: str) -> Done:
    """Run `searcher query` in this process."""
    home = str(place.settings.home)
    done = CliRunner().invoke(
        application(), ["query", "--home", home, *arguments], prog_name="searcher"
    )
    return Done(done.exit_code, done.stdout_bytes, done.stderr)


def run(arguments: Sequence[str], **environ: str) -> Done:
    """Run a process of its own."""
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, env={**os.environ, **environ}
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


def test_the_table(place: Place) -> None:
    done = ask(place, place.red, "-n", "3")
    assert (done.code, done.err) == (0, "")
    head, root, columns, *results = done.lines
    assert head.startswith(f"{place.red} · cluster g1/")
    assert head.endswith(" · searched all 3 clusters: 18 of 18 (100%)")
    assert root == f"in {place.photos}"
    assert columns.split() == ["rank", "score", "tier", "cluster", "path"]
    assert [line.split()[0] for line in results] == ["1", "2", "3"]
    assert all("red/" in line and "red/0.jpg" not in line for line in results)
    one = ask(place, place.red, "-n", "3", "--probes", "1").lines[0]
    assert one.endswith(" · searched 6 of 18 (33%)")


def test_an_indexed_query_is_left_out_unless_kept(place: Place, tmp_path: Path) -> None:
    """By its path, through a link, under another name of the same file, and by id."""
    (tmp_path / "link.jpg").symlink_to(place.red)
    os.link(place.red, tmp_path / "hard.jpg")
    point = point_id(root_id(place.photos), b"red/0.jpg")
    for query in (place.red, str(tmp_path / "link.jpg"), str(tmp_path / "hard.jpg"), point):
        assert "red/0.jpg" not in ask(place, query, "--paths", "-n", "18").out.decode()
        assert ask(place, query, "--self", "--paths", "-n", "1").lines == [place.red]
    shutil.copy(place.red, tmp_path / "copy.jpg")
    (copy,) = answers(place, str(tmp_path / "copy.jpg"), "-n", "1")
    assert (copy["results"][0]["path"], copy["results"][0]["tier"]) == ("red/0.jpg", "exact")
    assert ask(place, place.red, "-n", "18").lines[-1] == "only 17 other images are indexed"


def test_a_cluster_smaller_than_n_says_so(place: Place) -> None:
    last = ask(place, place.red, "--probes", "1").lines[-1]
    assert last == "only 5 of 12 wanted are in the cluster searched: give more --probes"


def test_json_is_one_object_a_query(place: Place) -> None:
    green = str(place.photos / "green" / "1.jpg")
    point = point_id(root_id(place.photos), b"blue/2.jpg")
    done = ask(place, "--json", "-n", "2", "--self", "--probes", "1", place.red, green, point)
    assert (done.code, done.err) == (0, "")
    values = [json.loads(line) for line in done.lines]
    assert [value["query"] for value in values] == [place.red, green, point]
    tops = [value["results"][0] for value in values]
    assert [top["path"] for top in tops] == ["red/0.jpg", "green/1.jpg", "blue/2.jpg"]
    assert tops[2]["id"] == point
    assert all(top["score"] == pytest.approx(1, abs=1e-3) for top in tops)
    assert len({value["cluster"] for value in values}) == 3
    for value in values:
        assert value["clusters_searched"] == [value["cluster"]]
        assert (value["probes"], value["searched"], value["total"]) == (1, 6, 18)
        assert value["matching"] == 18
    assert values[2]["took_ms"]["decode"] == values[2]["took_ms"]["encode"] == 0


def test_paths_are_absolute_and_raw(fresh: Place, tmp_path: Path, tiny_tflite: Path) -> None:
    photos = tmp_path / "odd"
    draw_photos(photos, 2)
    odd = os.fsencode(photos) + b"/red/caf\xe9\nnew line.jpg"
    os.rename(photos / "red" / "0.jpg", odd)
    place = Place(make_home(tmp_path / "home2", photos, tiny_tflite), photos)
    done = ask(place, "--self", "--paths", "--null", "-n", "1", os.fsdecode(odd))
    assert (done.code, done.out, done.err) == (0, odd + b"\0", "")
    assert ask(place, "--self", "--paths", "-n", "1", os.fsdecode(odd)).out == odd + b"\n"
    assert "caf\ufffd\\nnew line.jpg" in ask(place, "--self", os.fsdecode(odd)).lines[3]


def test_several_queries_are_several_answers_and_bad_ones_cost_only_themselves(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(Path(place.red).read_bytes()[:200])
    (tmp_path / "note.txt").write_text("no image\n")
    nobody = "00000000-0000-5000-8000-000000000000"
    bad = [str(tmp_path / name) for name in ("broken.jpg", "note.txt", "nope", "")]
    done = ask(place, "--self", "--paths", "-n", "1", *bad, place.red, nobody, place.red)
    assert done.code == 1
    assert done.lines == [place.red, place.red]
    errors = done.err.splitlines()
    assert len(errors) == 5
    assert all(line.startswith("error: ") for line in errors)
    for line, given in zip(errors, [*bad, nobody], strict=True):
        assert line.startswith(f"error: {given.rstrip('/')}")
    assert "is damaged" in errors[0]
    assert "is not an image" in errors[1]
    assert "check the spelling" in errors[2]
    assert "is a folder" in errors[3]
    assert "no indexed image has this id" in errors[4]


def one_error(done: Done) -> str:
    assert (done.code, done.out) == (1, b"")
    (line,) = done.err.splitlines()
    return line


def test_a_home_without_model_store_or_points(fresh: Place, tmp_path: Path) -> None:
    nothing = Place(Settings(home=tmp_path / "nothing"), fresh.photos)
    assert "run `indexer watch DIR` first" in one_error(ask(nothing, fresh.red, fresh.red))
    assert not nothing.settings.home.exists()
    encoder = Models(fresh.settings.models).current().encoder
    store = open_store(fresh.settings, encoder, role="visitor")
    store.delete(sorted(store.ids()))
    store.close()
    assert "nothing is indexed yet" in one_error(ask(fresh, fresh.red, fresh.red))
    shutil.rmtree(fresh.settings.store)
    assert "indexer scan" in one_error(ask(fresh, fresh.red))


def test_another_encoder_or_a_damaged_one_is_told(fresh: Place, tiny_tflite: Path) -> None:
    encoders = fresh.settings.models / "encoders"
    (bundle,) = [path for path in encoders.iterdir() if path.is_dir()]
    collection = fresh.settings.store / bundle.name
    collection.rename(collection.with_name("0123456789abcdef"))
    assert "error: " in one_error(ask(fresh, fresh.red))
    (bundle / "encoder.tflite").write_bytes(b"damaged")
    assert "encoder.tflite is damaged" in one_error(ask(fresh, fresh.red))


def test_the_model_files_are_not_read_for_a_question_by_id(fresh: Place) -> None:
    for path in fresh.settings.models.rglob("encoder.tflite"):
        path.unlink()
    point = point_id(root_id(fresh.photos), b"red/1.jpg")
    assert ask(fresh, point, "--self", "-n", "1").lines[-1].endswith("red/1.jpg")


def test_a_root_that_is_not_known_here(fresh: Place) -> None:
    write_roots(fresh.settings.home, {})
    done = ask(fresh, "--paths", fresh.red)
    assert (done.code, done.out) == (1, b"")
    assert "is not known on this machine" in done.err
    assert ask(fresh, fresh.red).code == 0


def test_sheet_and_page(place: Place, tmp_path: Path) -> None:
    sheet, page = tmp_path / "out.png", tmp_path / "out.html"
    point = point_id(root_id(place.photos), b"blue/2.jpg")
    done = ask(place, place.red, point, "--sheet", str(sheet), "--html", str(page))
    assert (done.code, done.err) == (0, "")
    with Image.open(sheet) as image:
        assert image.format == "PNG"
        assert image.height > image.width / 2
    text = page.read_text()
    assert text.count("<section>") == 2
    assert text.count('alt="query: blue/2.jpg"') == 1
    assert text.count("<img") == 2 + 2 * 12


def test_nothing_is_written_over_pictures_or_among_them(place: Place, tmp_path: Path) -> None:
    query = tmp_path / "query.png"
    shutil.copy(place.red, query)
    before = query.read_bytes()
    assert "is a query image" in one_error(ask(place, str(query), "--sheet", str(query)))
    assert query.read_bytes() == before
    inside = place.photos / "red" / "new.html"
    assert "lies in the indexed folder" in one_error(ask(place, place.red, "--html", str(inside)))
    assert not inside.exists()
    nowhere = tmp_path / "no" / "out.png"
    assert "does not exist" in one_error(ask(place, place.red, "--sheet", str(nowhere)))
    assert "is a folder" in one_error(ask(place, place.red, "--html", str(tmp_path)))


def test_open_shows_the_page_or_a_temporary_one(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Path] = []
    monkeypatch.setattr("searcher.cli.answering.view", shown.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = ask(place, place.red, "--open")
    assert done.code == 0
    assert done.err == f"page: {shown[0]}\n"
    assert shown[0].read_text().startswith("<!doctype html>")
    ask(place, place.red, "--open", "--sheet", str(tmp_path / "a.png"))
    assert shown[1] == tmp_path / "a.png"
    assert ask(place, str(tmp_path / "nope"), "--open").code == 1
    assert len(shown) == 2


def test_a_missing_viewer_is_one_line(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    page = tmp_path / "a.html"
    done = ask(place, place.red, "--paths", "--open", "--html", str(page))
    assert done.code == 1
    assert f"open {page} yourself" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--null"], "--null needs --paths"),
        (["--paths", "--json"], "exclude each other"),
        (["--sheet", "out.exe"], "out.exe"),
        (["-n", "0"], "--number"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_exit_code_2(place: Place, arguments: list[str], said: str) -> None:
    done = ask(place, place.red, *arguments)
    assert (done.code, done.out) == (2, b"")
    assert said in done.err


def test_unexpected_errors_are_one_line_and_a_traceback_with_debug(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom\nboom")

    monkeypatch.setattr("searcher.cli.answering.table", broken)
    line = one_error(ask(place, place.red))
    assert line.startswith("error: unexpected RuntimeError: boom\\nboom: run again with --debug")
    assert "Traceback" in ask(place, place.red, "--debug").err


def test_a_cold_process_loads_no_framework(place: Place) -> None:
    code = (
        "import sys, json\nfrom searcher.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end\n"
        f"print(json.dumps([name for name in {FORBIDDEN!r} if name in sys.modules]))"
    )
    home = str(place.settings.home)
    done = run(["-c", code, "query", "--home", home, "-n", "1", "--self", "--paths", place.red])
    assert done.lines == [place.red, "[]"]
    assert (done.code, done.err) == (0, "")


def test_help_loads_not_even_numpy() -> None:
    code = (
        "import sys\nsys.argv[0] = 'searcher'\nfrom searcher.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print('numpy' in sys.modules)"
    )
    done = run(["-c", code, "query", "--help"])
    assert done.lines[-1] == "False"
    assert "--sheet" in done.out.decode()


def test_python_m_and_the_environment(place: Place) -> None:
    home = str(place.settings.home)
    arguments = ["-m", "searcher", "query", place.red, "-n", "1"]
    done = run(arguments, LOOKALIKE_HOME=home, PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert b"? cluster g1/" in done.out
    assert b"\x1b" not in done.out


def test_beside_a_running_owner(fresh: Place) -> None:
    encoder = Models(fresh.settings.models).current().encoder
    owner = open_store(fresh.settings, encoder, role="owner")
    try:
        home = str(fresh.settings.home)
        options = ("--home", home, "--self", "--paths", "-n", "1")
        done = run(["-m", "searcher", "query", fresh.red, *options])
    finally:
        owner.close()
    assert (done.code, done.lines, done.err) == (0, [fresh.red], "")


@pytest.fixture(scope="module")
def calibrated(place: Place, tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> Place:
    home = tmp_path_factory.mktemp("calibrated") / "home"
    return Place(make_home(home, place.photos, tiny_tflite, calibrated=True), place.photos)


def answers(place: Place, *arguments: str) -> list[dict[str, Any]]:
    done = ask(place, "--json", *arguments)
    assert (done.code, done.err) == (0, ""), done.err
    return [json.loads(line) for line in done.lines]


def test_more_clusters_find_more_and_say_what_to_expect(calibrated: Place) -> None:
    recalls, searched = [], []
    for probes in ("1", "2", "99", "all"):
        (answer,) = answers(calibrated, calibrated.red, "--probes", probes)
        recalls.append(answer["recall"]["value"])
        searched.append((answer["probes"], answer["searched"]))
        assert answer["recall"]["kind"] == "expected"
        assert answer["results"][0]["path"].startswith("red/")
    assert searched == [(1, 6), (2, 12), (3, 18), (3, 18)]
    assert 0 < recalls[0] < recalls[1] < recalls[2] == recalls[3] == 1.0
    (exact,) = answers(calibrated, calibrated.red, "--exact")
    assert (exact["searched"], exact["clusters_searched"][0]) == (18, exact["cluster"])


def test_as_many_clusters_as_a_recall_asks_for(calibrated: Place) -> None:
    (little,) = answers(calibrated, calibrated.red, "-n", "5", "--recall", "0.1")
    (much,) = answers(calibrated, calibrated.red, "-n", "5", "--recall", "1")
    assert little["searched"] < much["searched"]
    assert little["recall"]["value"] >= 0.1
    assert much["recall"]["value"] >= 0.99
    (more,) = answers(calibrated, calibrated.red, "--recall", "0.1")  # two clusters hold eleven
    assert (more["searched"], len(more["results"])) == (18, 12)


def test_verify_measures_what_was_lost(calibrated: Place) -> None:
    one = ("--verify", "--probes", "1")
    (answer,) = answers(calibrated, calibrated.red, *one, "-n", "10")
    assert answer["recall"] == {"value": 0.5, "kind": "measured"}  # five of ten are red
    (whole,) = answers(calibrated, calibrated.red, *one, "-n", "5")
    assert whole["recall"] == {"value": 1.0, "kind": "measured"}
    table = ask(calibrated, calibrated.red, *one, "-n", "10").lines
    assert table[0].endswith("found 50% of the best 10")


def test_without_a_calibration_there_is_nothing_to_expect(place: Place) -> None:
    (answer,) = answers(place, place.red, "--probes", "2")
    assert (answer["recall"], answer["stands_out"]) == (None, None)
    assert answer["results"][0]["percentile"] is None
    (auto,) = answers(place, place.red)
    assert (auto["searched"], auto["recall"]["value"]) == (18, 1.0)  # so everything is searched
    done = ask(place, place.red, "--min-percentile", "50")
    assert done.code == 1
    assert "run `indexer recluster`" in done.err


def test_scores_and_percentiles_cut_the_list(calibrated: Place) -> None:
    (answer,) = answers(calibrated, calibrated.red, "--self", "--exact", "-n", "18")
    scores = [one["score"] for one in answer["results"]]
    percentiles = [one["percentile"] for one in answer["results"]]
    assert percentiles == sorted(percentiles, reverse=True)
    assert (percentiles[0], len(scores)) == (100.0, 18)
    least = ("--self", "--exact", "-n", "18", "--min-score", f"{scores[5] - 1e-4:.5f}")
    (cut,) = answers(calibrated, calibrated.red, *least)
    assert [one["score"] for one in cut["results"]] == scores[:6]
    table = ask(calibrated, calibrated.red, *least).lines
    assert table[2].split() == ["rank", "score", "percentile", "tier", "cluster", "path"]
    assert table[-1] == "12 more results were not alike enough"
    (few,) = answers(calibrated, calibrated.red, "--min-percentile", "99.99")
    assert len(few["results"]) < 6


def test_a_picture_like_none_is_told(calibrated: Place, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).resize((512, 512), Image.Resampling.NEAREST).save(tmp_path / "odd.png")
    (odd,) = answers(calibrated, str(tmp_path / "odd.png"), "--exact")
    (known,) = answers(calibrated, calibrated.red)
    assert (odd["stands_out"], known["stands_out"]) == (False, True)
    table = ask(calibrated, str(tmp_path / "odd.png"), "--exact").lines
    assert table[-1].startswith("nothing here looks like it: the best score is below")


def test_several_images_together_and_away_from_one(place: Place) -> None:
    green, blue = (str(place.photos / color / "0.jpg") for color in ("green", "blue"))
    (answer,) = answers(place, "--together", place.red, green, "-n", "10")
    assert answer["query"] == f"{place.red} + {green}"
    assert {one["path"].split("/")[0] for one in answer["results"]} == {"red", "green"}
    (away,) = answers(place, place.red, "--not", green, "--exact", "-n", "18")
    assert away["query"] == f"{place.red} - {green}"
    ranks = {one["path"]: one["rank"] for one in away["results"]}
    assert max(ranks[f"blue/{n}.jpg"] for n in range(6)) < min(
        ranks[f"green/{n}.jpg"] for n in range(1, 6)
    )
    assert "green/0.jpg" not in ranks
    (one,) = answers(place, "--together", place.red, green, "--probes", "1", "-n", "10")
    assert one["clusters_searched"][0] == one["cluster"]
    assert one["probes"] == 2  # that of each
    (by_id,) = answers(place, place.red, "--self", "-n", "1")
    point = by_id["results"][0]["id"]
    together = [
        [one["path"] for one in answers(place, "--together", first, blue, "--exact")[0]["results"]]
        for first in (point, place.red)
    ]
    assert together[0] == together[1]
    done = ask(place, place.red, "--not", place.red, "--not", str(place.photos / "no.jpg"))
    assert done.code == 1
    assert "no.jpg is no file" in done.err


def test_sheet_and_page_show_every_example(fresh: Place, tmp_path: Path) -> None:
    colors = {"lime": (0, 255, 0), "magenta": (255, 0, 255), "cyan": (0, 255, 255)}
    for name in colors:
        Image.new("RGB", (300, 200), name).save(tmp_path / f"{name}.png")
    lime, magenta, cyan = (str(tmp_path / f"{name}.png") for name in colors)
    sheet, page = tmp_path / "sheet.png", tmp_path / "page.html"
    options = ("--together", "--not", cyan, "--sheet", str(sheet), "--html", str(page))
    done = ask(fresh, lime, magenta, *options)
    assert (done.code, done.err) == (0, "")
    with Image.open(sheet) as drawn:
        pixels = np.asarray(drawn).astype(int)
    for name, color in colors.items():
        assert (np.abs(pixels - color).max(axis=2) < 4).sum() > 5_000, f"{name} is drawn"
    text = page.read_text()
    assert "Images that look like lime.png and magenta.png, not like cyan.png" in text
    for alt in ("query: lime.png", "query: magenta.png", "not like: cyan.png"):
        assert f'alt="{alt}"' in text


def test_examples_by_id_are_drawn_or_say_why_not(tmp_path: Path, tiny_tflite: Path) -> None:
    draw_photos(tmp_path / "photos")
    place = Place(
        make_home(tmp_path / "home", tmp_path / "photos", tiny_tflite), tmp_path / "photos"
    )
    root = root_id(place.photos)
    kept, deleted = point_id(root, b"red/1.jpg"), point_id(root, b"blue/2.jpg")
    (place.photos / "blue/2.jpg").unlink()
    page = tmp_path / "page.html"
    done = ask(place, "--together", kept, place.red, "--not", deleted, "--html", str(page))
    assert (done.code, done.err) == (0, "")
    text = page.read_text()
    assert "Images that look like red/1.jpg and 0.jpg, not like blue/2.jpg" in text
    assert 'alt="query: red/1.jpg"' in text
    assert text.index("no longer there") < text.index('<ol class="results">')


def test_tiers_tell_the_same_picture_from_altered_and_like_ones(
    calibrated: Place, tmp_path: Path
) -> None:
    (answer,) = answers(calibrated, calibrated.red, "--self", "--exact", "-n", "18")
    tiers = [one["tier"] for one in answer["results"]]
    assert tiers[0] == "exact"
    assert tiers == sorted(tiers, key=["exact", "near", "similar", None].index)
    assert tiers[-1] is None
    with Image.open(calibrated.red) as picture:
        picture.save(tmp_path / "same.png")
        picture.resize((picture.width // 2, picture.height // 2)).save(tmp_path / "small.jpg")
    for name, wanted in (("same.png", "exact"), ("small.jpg", "near")):
        (found,) = answers(calibrated, str(tmp_path / name), "--tier", "near")
        assert [(one["path"], one["tier"]) for one in found["results"]] == [("red/0.jpg", wanted)]
    (none,) = answers(calibrated, str(tmp_path / "small.jpg"), "--tier", "exact")
    assert none["results"] == []


def test_an_explanation_in_table_json_sheet_and_page(calibrated: Place, tmp_path: Path) -> None:
    (answer,) = answers(calibrated, calibrated.red, "--self", "-n", "2", "--explain")
    told = [one["explain"] for one in answer["results"]]
    assert told[0]["cluster"] == answer["results"][0]["cluster"]
    assert (told[0]["hash_bits"], told[0]["percentile"]) == (0, 100.0)
    assert told[0]["border"] > 0
    assert told[1]["hash_bits"] > 0
    sheet, page = tmp_path / "sheet.png", tmp_path / "page.html"
    options = ("--self", "-n", "2", "--explain", "--sheet", str(sheet), "--html", str(page))
    done = ask(calibrated, calibrated.red, *options)
    assert (done.code, done.err) == (0, "")
    assert "0 of 64 hash bits differ" in done.lines[4]
    assert "from the border to" in done.lines[4]
    assert "hash bits differ" in page.read_text()
    with Image.open(sheet) as drawn:
        assert drawn.width > 0


def test_an_indexed_image_at_random(place: Place) -> None:
    asked = {answers(place, "--random", "-n", "1")[0]["query"] for _ in range(12)}
    assert len(asked) > 1
    points = {one["id"] for one in answers(place, place.red, "--self", "-n", "18")[0]["results"]}
    assert asked <= points


def test_conditions_are_met_by_all_results_and_do_not_shorten_the_list(place: Place) -> None:
    (answer,) = answers(place, place.red, "-n", "6", "--where", "folder=blue")
    assert [one["path"].split("/")[0] for one in answer["results"]] == ["blue"] * 6
    assert (answer["searched"], answer["total"], answer["recall"]["value"]) == (6, 18, 1.0)
    (few,) = answers(place, place.red, "--where", "folder=blue")
    assert (len(few["results"]), few["remarks"]) == (6, ["only 6 match anywhere"])
    (globbed,) = answers(place, place.red, "-n", "18", "--where", "path=[bg]*/1.jpg")
    assert {one["path"] for one in globbed["results"]} == {"blue/1.jpg", "green/1.jpg"}
    wrong = one_error(ask(place, place.red, "--where", "folder=blu"))
    assert wrong == f"error: {place.red}: no folder 'blu' (did you mean 'blue'?)"
    (none,) = answers(place, place.red, "--where", "width>=100000")
    assert (none["results"], none["searched"]) == ([], 0)
    assert none["remarks"] == ["no image matches"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--probes", "0"), "probes is '0': give auto, all or a whole number from 1"),
        (("--probes", "some"), "probes is 'some': give auto, all"),
        (("--exact", "--probes", "2"), "--exact searches everything"),
        (("--probes", "1", "--recall", "0.9"), "leave it or --probes 1 out"),
        (("--exact", "--recall", "0.9"), "leave it or --exact out"),
        (("--probes", "auto", "--recall", "1.5"), "recall is 1.5: give a number from 0 to 1"),
        (("--probes", "auto", "--recall", "0"), "recall is 0"),
        (("--min-score", "2"), "min score is 2.0: give a number from -1 to 1"),
        (("--min-percentile", "nan"), "min percentile is nan"),
        (("--where", "colour=red"), "'colour' cannot be filtered: choose one of folder"),
        (("--where", "width>=9", "--where", "width<2"), "begins at 9 and ends at 2"),
        (("--tier", "twin"), "'twin' is none of exact, near, similar"),
        (("--random",), "--random asks with one indexed image"),
        (("other.jpg", "--not", "x.jpg"), "--not with several images needs --together"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(
    place: Place, arguments: tuple[str, ...], said: str
) -> None:
    done = ask(place, place.red, *arguments)
    assert (done.code, done.out) == (2, b"")
    assert said in " ".join(done.err.split())


def test_no_image_is_wrong_usage(place: Place) -> None:
    done = ask(place)
    assert done.code == 2
    assert "give at least one, or --random" in done.err


def test_clusters_that_change_meanwhile_are_asked_again(
    fresh: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, calls = Models(fresh.settings.models), []
    pair = models.current()

    def answered(
        question: Question, searcher: Searcher, request: Request, roots: Mapping[str, Path]
    ) -> Answer:
        calls.append(searcher.clustering.generation)
        found = answer(question, searcher, request, roots)
        if len(calls) == 2:  # after the first of two queries has been printed
            points = [one for batch in searcher.store.scroll() for one in batch]
            centroids = searcher.clustering.centroids[:2]
            clustering = models.add_clustering(pair.encoder, centroids, {"chosen_by": "k"})
            searcher.store.set_labels([(one.record.id, ("g2/1",)) for one in points])
            models.set_current(Pair(pair.encoder, clustering.generation))
        return found

    monkeypatch.setattr("searcher.home_asker.answer", answered)
    green = str(fresh.photos / "green/0.jpg")
    first, second = answers(fresh, fresh.red, green, "--exact")
    assert calls == ["g1", "g1", "g2"]
    assert first["cluster"].startswith("g1/")
    assert second["query"] == green
    assert second["cluster"].startswith("g2/")
    assert len(second["results"]) == 12
