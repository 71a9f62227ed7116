"""`searcher query` as people run it: against a real home, in this process and in its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from searcher.cli import app
from shared.models import Models
from shared.points import point_id
from shared.roots import root_id, write_roots
from shared.settings import Settings
from shared.store.opening import open_store
from tests.homes import draw_photos, make_home

FORBIDDEN = (
    *("tensorflow", "keras", "sklearn", "qdrant_client", "rich", "matplotlib", "asyncio"),
    *("multiprocessing", "concurrent", "urllib.request", "http.client", "ssl", "searcher.sheet"),
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
    done = CliRunner().invoke(app, ["query", "--home", home, *arguments], prog_name="searcher")
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
    head, root, columns, first, *rest = done.lines
    assert head.startswith(f"{place.red} · cluster g1/")
    assert head.endswith(" · searched 6 of 18 (33 %)")
    assert root == f"in {place.photos}"
    assert columns.split() == ["rank", "score", "cluster", "path"]
    assert first.split()[0::3] == ["1", "red/0.jpg"]
    assert len(rest) == 2
    assert all("red/" in line for line in rest)


def test_a_cluster_smaller_than_n_says_so(place: Place) -> None:
    assert ask(place, place.red).lines[-1] == "only 6 in this cluster: 6 of 12 wanted"


def test_json_is_one_object_a_query(place: Place) -> None:
    green = str(place.photos / "green" / "1.jpg")
    point = point_id(root_id(place.photos), b"blue/2.jpg")
    done = ask(place, "--json", "-n", "2", place.red, green, point)
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
    assert values[2]["took_ms"]["decode"] == values[2]["took_ms"]["encode"] == 0


def test_paths_are_absolute_and_raw(fresh: Place, tmp_path: Path, tiny_tflite: Path) -> None:
    photos = tmp_path / "odd"
    draw_photos(photos, 2)
    odd = os.fsencode(photos) + b"/red/caf\xe9\nnew line.jpg"
    os.rename(photos / "red" / "0.jpg", odd)
    place = Place(make_home(tmp_path / "home2", photos, tiny_tflite), photos)
    done = ask(place, "--paths", "--null", "-n", "1", os.fsdecode(odd))
    assert (done.code, done.out, done.err) == (0, odd + b"\0", "")
    assert ask(place, "--paths", "-n", "1", os.fsdecode(odd)).out == odd + b"\n"
    assert "caf\ufffd\\nnew line.jpg" in ask(place, os.fsdecode(odd)).lines[3]


def test_several_queries_are_several_answers_and_bad_ones_cost_only_themselves(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(Path(place.red).read_bytes()[:200])
    (tmp_path / "note.txt").write_text("no image\n")
    nobody = "00000000-0000-5000-8000-000000000000"
    bad = [str(tmp_path / name) for name in ("broken.jpg", "note.txt", "nope", "")]
    done = ask(place, "--paths", "-n", "1", *bad, place.red, nobody, place.red)
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
    assert ask(fresh, point, "-n", "1").lines[-1].endswith("red/1.jpg")


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
    assert text.count("<img") == 2 + 12


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
    done = run(["-c", code, "query", "--home", home, "-n", "1", "--paths", place.red])
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
        done = run(["-m", "searcher", "query", "--home", home, fresh.red, "--paths", "-n", "1"])
    finally:
        owner.close()
    assert (done.code, done.lines, done.err) == (0, [fresh.red], "")
