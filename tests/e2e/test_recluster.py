"""`indexer recluster` and what `indexer status` tells about clusters, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from indexer.recluster import FIT_MODULE
from tests.daemons import indexer, searcher, status
from tests.faults.pictures import draw
from tests.homes import draw_photos, make_home


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_tflite: Path) -> tuple[Path, Path]:
    """A folder of eighteen pictures, and a home that has indexed them."""
    folder = tmp_path_factory.mktemp("indexed")
    draw_photos(folder / "photos")
    make_home(folder / "home", folder / "photos", tiny_tflite, indexed=False)
    indexer("scan", folder / "photos", "--home", folder / "home")
    return folder / "photos", folder / "home"


@pytest.fixture
def home(indexed: tuple[Path, Path], tmp_path: Path) -> Path:
    shutil.copytree(indexed[1], tmp_path / "home", ignore=shutil.ignore_patterns("run"))
    return tmp_path / "home"


@pytest.fixture
def photos(indexed: tuple[Path, Path]) -> Path:
    return indexed[0]


def test_new_clusters_answer_at_once(home: Path, photos: Path) -> None:
    before = status(home)
    assert before["clustering"]["drift"] is before["clustering"]["fitted_images"] is None
    done = indexer("recluster", "--k", "2", "--home", home, "--json")
    found = json.loads(done.stdout)
    assert (found["generation"], found["k"], found["chosen_by"]) == ("g2", 2, "given")
    assert found["current"] is True
    assert (found["encoder"], found["images"]) == (before["encoder"]["id"], 18)
    assert {Path(path).name for path in found["figures"]} == {
        "elbow.png", "cluster-0.png", "cluster-1.png",
    }  # fmt: skip
    assert all(Path(path).is_file() for path in found["figures"])
    told = status(home)
    assert told["clusters"] == {"g2/0": found["sizes"][0], "g2/1": found["sizes"][1]}
    assert told["next"] is None
    assert told["clustering"] == {
        "fitted_images": 18,
        "imbalance": told["clustering"]["imbalance"],
        "fitted_imbalance": told["clustering"]["imbalance"],
        "drift": None,
        "recluster": {"worth_it": False, "why": None, "waits": False},
    }
    assert told["clustering"]["imbalance"] == round(max(found["sizes"]) * 2 / 18, 3)
    one = ("--home", home, "--probes", "1", "--json")
    answer = json.loads(searcher("query", photos / "red/0.jpg", *one).stdout)
    assert answer["cluster"].startswith("g2/")
    assert answer["searched"] == told["clusters"][answer["cluster"]]


def test_status_says_when_newer_images_are_of_another_kind(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    indexer("recluster", "--k", "3", "--home", home)
    draw(tmp_path / "others", range(120))
    indexer("scan", tmp_path / "others", "--home", home)
    told = status(home)["clustering"]
    assert told["drift"]["images"] == 120
    assert told["drift"]["ratio"] > 1.5
    assert told["recluster"]["worth_it"]
    text = indexer("status", "--home", home).stdout
    assert "balance   the largest has" in text
    assert f"120 newer images lie at {told['drift']['ratio']:.2f} times the distance" in text
    assert "`indexer recluster` is worth it: 120 newer images lie" in text
    done = indexer("recluster", "--home", home)
    assert "g3 of encoder" in done.stdout
    assert "g3 answers now" in done.stdout
    assert "138 images" in done.stdout
    assert status(home)["clustering"]["drift"] is None
    assert "recluster no reason to" in indexer("status", "--home", home).stdout


def test_pictures_that_are_away_cost_only_their_sheets(home: Path) -> None:
    (home / "roots.json").unlink()
    found = json.loads(indexer("recluster", "--k", "3", "--home", home, "--json").stdout)
    assert [Path(path).name for path in found["figures"]] == ["elbow.png"]
    assert sorted(found["sizes"]) == [6, 6, 6]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--k", "19"], 1, "error: k = 19 with 18 images: give 1 to 18, or auto"),
        (["--k", "0"], 2, "'0' is neither auto nor a whole number from 1"),
        (["--k", "many"], 2, "'many' is neither auto nor a whole number"),
        (["--seed", "-1"], 2, "--seed"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(
    home: Path, arguments: list[str], code: int, words: str
) -> None:
    done = indexer("recluster", *arguments, "--home", home, check=False)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stdout == ""
    if code == 1:
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1] == words
    assert status(home)["encoder"]["generation"] == "g1"


def test_without_points_or_model_one_line_says_what_to_do(
    tmp_path: Path, photos: Path, tiny_tflite: Path
) -> None:
    done = indexer("recluster", "--home", tmp_path / "none", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: no model in" in done.stderr
    make_home(tmp_path / "home", photos, tiny_tflite, indexed=False)
    done = indexer("recluster", "--home", tmp_path / "home", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: no image is indexed in {tmp_path / 'home'}: run `indexer scan DIR` first\n"
    )


def test_the_fit_ends_with_the_command(home: Path) -> None:
    command = [sys.executable, "-m", "indexer", "recluster", "--k", "3", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not (fits := psutil.Process(process.pid).children()):
            assert process.poll() is None
        process.kill()
    _, alive = psutil.wait_procs(fits, timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    told = status(home)
    assert (told["encoder"]["generation"], told["next"]) == ("g1", None)
    assert json.loads(indexer("recluster", "--k", "2", "--home", home, "--json").stdout)["current"]


def test_a_task_without_anybody_who_waits_is_given_up(home: Path) -> None:
    task = {"home": str(home), "k": 3, "seed": 0, "debug": False}
    done = subprocess.run(
        [sys.executable, "-m", FIT_MODULE],
        input=json.dumps(task) + "\n",  # and then its end
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
