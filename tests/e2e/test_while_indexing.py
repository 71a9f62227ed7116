"""What commands and the service say while an indexer is at work on the home."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.daemon_report import read_report
from tests.daemons import Watch, indexer, searcher, status
from tests.homes import draw_photos
from tests.services import Service

SLOW = {"LOOKALIKE_SETTLE_SECONDS": "600"}
"""New files are pending for as long as a test takes."""


def _error(*arguments: str | Path) -> str:
    """The one line that a failing search writes."""
    done = searcher(*arguments, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


def _stopped_while_fitting(watch: Watch) -> None:
    """Hold the daemon still while it fits its first clusters."""
    watch.wait_until(lambda found: found["state"].startswith("fitting clusters"))
    watch.process.send_signal(signal.SIGSTOP)


@pytest.fixture
def arriving(home: Path, photos: Path) -> Iterator[Watch]:
    """A daemon that has indexed eighteen pictures, and beside them three that are pending."""
    indexer("scan", photos, "--home", home)
    with Watch(home, photos, **SLOW) as watch:
        watch.wait_until(lambda found: found["state"] == "watching")
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            shutil.copy(photos / "red" / "0.jpg", photos / name)
        watch.wait_until(lambda found: found["state"] == "indexing: 0 of 3")
        yield watch


def test_searches_say_what_a_first_indexing_waits_for(tmp_path: Path) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    draw_photos(tmp_path / "elsewhere", 1)
    picture = tmp_path / "elsewhere/red/0.jpg"
    photos.mkdir()
    waiting = "nothing is indexed yet: waiting for images: 0 of the 2 that clusters need"
    with Watch(home, photos) as watch, Service(home) as service:
        watch.wait_until(lambda found: found["state"].startswith("waiting for images"))
        for command in (["query", picture], ["groups"], ["clusters"]):
            assert _error(*command, "--home", home) == f"error: {waiting}"
        for path in ("/readyz", "/stats", "/clusters"):
            reply = service.get(path)
            assert (reply.status, reply.json["detail"]) == (503, waiting)
        text = indexer("status", "--home", home).stdout
        assert "waiting for images: 0 of the 2" in text
        assert "run `indexer" not in text


def test_searches_say_that_clusters_are_being_fitted(tmp_path: Path, photos: Path) -> None:
    home = tmp_path / "home"
    with Watch(home, photos) as watch:
        _stopped_while_fitting(watch)
        line = _error("query", photos / "red/0.jpg", "--home", home)
        assert line == "error: nothing is indexed yet: fitting clusters of 18 images"
        found = status(home)
        assert (found["state"], found["backlog"]) == ("fitting clusters of 18 images", 18)
        watch.process.kill()
        watch.process.wait()
        assert "fitting" not in _error("query", photos / "red/0.jpg", "--home", home)


def test_results_come_with_a_remark_that_goes_with_the_daemon(
    arriving: Watch, home: Path, photos: Path
) -> None:
    command = ("query", photos / "red/0.jpg", "--home", home, "--json")
    done = searcher(*command)
    assert done.stderr == "indexing: 0 of 3\n"
    assert json.loads(done.stdout)["total"] == 18
    assert "indexing" not in done.stdout
    assert searcher("clusters", "--home", home).stderr == "indexing: 0 of 3\n"
    assert "state     indexing: 0 of 3 (process" in indexer("status", "--home", home).stdout
    assert status(home)["progress"] == {"done": 0, "total": 3, "seconds_left": None}
    arriving.process.kill()
    arriving.process.wait()
    assert searcher(*command).stderr == ""


def test_the_service_tells_counts_and_the_line(arriving: Watch, home: Path, photos: Path) -> None:
    with Service(home) as service:
        told = service.get("/stats").json["indexing"]
        assert told.pop("at")
        assert told == {
            "state": "indexing: 0 of 3",
            "indexed": 18,
            "backlog": 3,
            "refused": 0,
            "done": 0,
            "total": 3,
            "seconds_left": None,
        }
        done = searcher("query", photos / "red/0.jpg", "--home", home)
        assert done.stderr == "indexing: 0 of 3\n"


def test_a_scan_says_that_it_is_at_work(home: Path, photos: Path) -> None:
    draw_photos(photos / "more", 200)
    with Watch(home, command=("scan", str(photos))) as scan:
        scan.wait_until(lambda found: "indexing: " in found["state"])
        report = read_report(home / "run")
        assert report is not None
        assert report.progress is not None
        assert 0 < report.progress.total <= 618
        assert scan.process.wait(60) == 0
    assert not (home / "run/report.json").exists()
    assert status(home)["state"] == "not running"


def test_nothing_is_advised_after_a_first_indexing_of_a_folder_that_was_growing(
    tmp_path: Path,
) -> None:
    """Copies, too, and folder by folder."""
    photos, home = tmp_path / "photos", tmp_path / "home"
    draw_photos(tmp_path / "elsewhere", 60)
    photos.mkdir()
    with Watch(home, photos) as watch:
        for name in ("red", "green", "blue"):
            shutil.copytree(tmp_path / "elsewhere" / name, photos / name)
            shutil.copytree(tmp_path / "elsewhere" / name, photos / "copies" / name)
            watch.wait_until(lambda found: "so far" in found["state"] or found["images"] > 0)
        found = watch.settled(360)
    assert found["clustering"]["fitted_images"] == 360
    assert found["clustering"]["drift"] is None
    assert found["clustering"]["recluster"] == {"worth_it": False, "why": None, "waits": False}
