"""`indexer bakeoff` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from indexer.bakeoff.fitting import MODULE, Task
from indexer.cli import application
from tests.daemons import indexer
from tests.homes import draw_photos

PNG = b"\x89PNG\r\n\x1a\n"


def bakeoff(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, without the cost of another process."""
    done = CliRunner().invoke(application(), ["bakeoff", *map(str, arguments)], prog_name="indexer")
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.timeout(300)
def test_trains_measures_draws_and_leaves_nothing_behind(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    draw_photos(tmp_path / "photos", 20)
    before = sorted(home.rglob("*"))
    kinds = ["--encoder", "autoencoder", "--encoder", "current", "--encoder", "0" * 16]
    done = indexer(
        *("bakeoff", tmp_path / "photos", *kinds, "--epochs", "1", "--home", home),
        *("--figure", tmp_path / "bakeoff.png", "--json"),
    )
    value = json.loads(done.stdout)
    assert (value["pictures"], value["queries"], value["labelled"]) == (60, 60, True)
    trained, current, missing = value["encoders"]
    assert [row["encoder"] for row in value["encoders"]] == ["autoencoder", "current", "0" * 16]
    assert trained["training_seconds"] > 0
    assert current["training_seconds"] is None
    assert "is missing from" in missing["error"]
    for row in (trained, current):
        assert 0 < row["p_at_10"] <= 1
        low, high = row["interval"]
        assert low <= row["p_at_10"] <= high
        assert row["images_per_second"] > 0
        assert row["query_ms"] > 0
        assert row["encoder_bytes"] > 10_000
    assert value["recommendation"]["take"] in ("autoencoder", "current")
    assert (tmp_path / "bakeoff.png").read_bytes().startswith(PNG)
    for line in ("encoder 1 of 3: autoencoder", "Training: ", "Asking the floors: 4 of 4"):
        assert line in done.stderr
    assert sorted(home.rglob("*")) == before
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.timeout(300)
def test_a_signal_ends_the_training_and_removes_its_folder(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    draw_photos(tmp_path / "photos", 20)
    command = [sys.executable, "-m", "indexer", "bakeoff", str(tmp_path / "photos")]
    with subprocess.Popen(
        [*command, "--home", str(tmp_path / "home")],
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("encoder 1 of 2"):
                break
        (training,) = _children(process.pid)
        process.send_signal(signal.SIGTERM)
        assert "stopped" in process.stderr.read()
        assert process.wait(60) == 130
    # A signal in the very moment of its birth ends it a little later, by its standard input.
    _, alive = psutil.wait_procs([training], timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    assert not list((tmp_path / "tmp").iterdir())
    assert not (tmp_path / "home").exists()


def _children(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    while not (found := process.children()):
        pass
    return list(found)


def test_an_orphan_ends_by_itself(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", 20)
    paths = tuple(str(path) for path in (tmp_path / "photos").rglob("*.jpg"))
    task = Task(
        kind="autoencoder",
        epochs=1000,
        seed=0,
        paths=paths,
        folder=str(tmp_path / "photos"),
        labels=None,
        models=str(tmp_path / "models"),
        workers=1,
        max_pixels=10**8,
        max_file_bytes=10**8,
        debug=False,
    )
    done = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=json.dumps(asdict(task)) + "\n",  # and then its end: nobody waits any more
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")


def test_a_table_of_what_the_home_holds(home: Path, photos: Path) -> None:
    code, out, _ = bakeoff(photos, "--home", home, "--encoder", "current", "--no-labels")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].endswith("· 18 pictures, 18 looked for with 4 altered copies each")
    assert lines[2].split()[:6] == ["recall@1", "95", "%", "crop", "flip", "brightness"]
    assert lines[3].startswith("current (random-projection)")
    assert [line.split("  ")[0] for line in lines[4:8]] == [
        *("floor: raw pixels", "floor: PCA, 512 components"),
        *("floor: colour histogram", "floor: gradient histogram"),
    ]
    assert lines[9].startswith("Take current: recall@1 ")
    assert lines[10].startswith("The best floor, ")


def test_the_default_takes_what_the_home_holds(home: Path, photos: Path) -> None:
    code, out, err = bakeoff(photos, "--home", home, "--sample", "12")
    assert code == 0
    assert "autoencoder failed: 12 images, at least 50 are needed" in out
    assert "encoder 3 of 3: current" in err


def test_learning_from_labels_needs_pictures_held_out(home: Path, photos: Path) -> None:
    arguments: list[str | Path] = [
        photos,
        "--home",
        home,
        "--encoder",
        "triplet",
        "--encoder",
        "current",
    ]
    code, out, err = bakeoff(*arguments, "--held-out", "0")
    assert (code, out) == (2, "")
    assert "triplet learns from the labels" in err
    code, out, err = bakeoff(*arguments, "--json")
    assert code == 0
    assert "20% of the pictures are held out of every training and asked with" in err
    value = json.loads(out)
    assert (value["held_out"], value["queries"]) == (0.2, 3)
    current, triplet = value["encoders"]
    assert "may have been trained on the pictures" in current["note"]
    assert triplet["encoder"] == "triplet"
    assert triplet["error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--encoder", "nonsense"], "'nonsense' is none of autoencoder, autoencoder-plain"),
        (["--held-out", "1"], "--held-out"),
        (["--sample", "1"], "--sample"),
        (["--labels", "x.csv", "--no-labels"], "exclude each other"),
        (["--figure", "x.svg"], "use a name in .png"),
        (["--figure", "no/where.png"], "there is no folder no"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    home: Path, photos: Path, arguments: list[str], words: str
) -> None:
    code, out, err = bakeoff(photos, "--home", home, *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_what_cannot_be_compared_is_one_line(home: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, words in (
        ("nowhere", "No such file"),
        ("empty", "holds 0 readable pictures"),
        ("photos/red/0.jpg", "is not a folder"),
    ):
        code, out, err = bakeoff(tmp_path / folder, "--home", home)
        assert (code, out) == (1, "")
        last = err.splitlines()[-1]
        assert last.startswith("error: ")
        assert words in last
    code, out, err = bakeoff(photos, "--home", tmp_path / "nothing", "--encoder", "current")
    assert (code, out) == (1, "")
    assert "error: no encoder could be measured: current: no model in" in err
    assert not (tmp_path / "nothing").exists()
