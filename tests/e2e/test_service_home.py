"""A running service while its home changes: first model, new clusters, the daemon's death."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import Watch, indexer
from tests.homes import draw_photos, make_home
from tests.services import Service


def test_a_service_begins_to_answer_with_the_first_model(
    tmp_path: Path, photos: Path, tiny_tflite: Path
) -> None:
    home = tmp_path / "home"
    with Service(home) as service:
        for reply in (service.get("/readyz"), service.post("/search", {"random": True})):
            assert (reply.status, reply.headers["retry-after"]) == (503, "5")
            assert "no model" in reply.json["detail"]
        make_home(home, photos, tiny_tflite, indexed=False)
        assert "nothing is indexed" in service.get("/stats").json["detail"]
        make_home(home, photos, tiny_tflite)
        assert service.get("/readyz").status == 200
        assert service.get("/stats").json["images"] == 18
        assert service.send("/search", [photos / "red" / "0.jpg"]).json["number"] == 12


def test_the_service_takes_over_when_the_daemon_dies(watch: Watch, photos: Path) -> None:
    """The daemon owns the store; the service is its client, then the owner."""
    with Service(watch.home) as service:
        question = [photos / "red" / "0.jpg"]
        before = service.send("/search", question).json
        watch.stop(signal.SIGKILL)
        after = service.send("/search", question)
        assert after.status == 200
        assert after.json["results"] == before["results"]
        draw_photos(photos / "more", 1)
        with Watch(watch.home, photos) as again:  # a client of the service now
            again.settled(21)
            assert service.get("/stats").json["images"] == 21


def test_no_answer_mixes_two_clusterings(tmp_path: Path, photos: Path, tiny_tflite: Path) -> None:
    home = tmp_path / "home"
    make_home(home, photos, tiny_tflite, indexed=False)
    indexer("scan", photos, "--home", home)
    picture = (photos / "red" / "0.jpg").read_bytes()
    with Service(home) as service:
        done, replies = threading.Event(), []

        def ask() -> None:
            while not done.is_set():
                replies.append(service.send("/search", [picture], probes="all"))
                replies.append(service.get("/clusters"))

        asking = threading.Thread(target=ask)
        asking.start()
        for k in ("2", "4"):
            indexer("recluster", "--k", k, "--home", home)
        done.set()
        asking.join()
        replies.append(service.send("/search", [picture], probes="all"))
    seen = set()
    for reply in replies:
        if reply.status != 200:  # honest: the clusters changed three times under one question
            assert (reply.status, "retry-after" in reply.headers) == (503, True)
            continue
        (generation,) = generations(reply.json)
        seen.add(generation)
    assert seen >= {"g1", "g3"}


def generations(value: dict[str, Any]) -> set[str]:
    """Of every label in an answer."""
    if "clusters" in value:
        labels = [one["label"] for one in value["clusters"]]
        labels += [image["cluster"] for one in value["clusters"] for image in one["samples"]]
        return {value["generation"], *(label.partition("/")[0] for label in labels)}
    labels = [value["cluster"], *value["clusters_searched"]]
    labels += [result["cluster"] for result in value["results"]]
    return {label.partition("/")[0] for label in labels}


@pytest.fixture
def service(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Any:
    make_home(tmp_path / "home", photos, tiny_tflite, calibrated=True)
    with Service(tmp_path / "home") as service:
        yield service


def test_in_a_batch_a_bad_question_costs_only_its_own_answer(
    service: Service, photos: Path
) -> None:
    red, blue = photos / "red" / "0.jpg", photos / "blue" / "0.jpg"
    answers = service.send("/search/batch", [red, b"<html>", blue], n="1").json["answers"]
    assert [one.get("status") for one in answers] == [None, 422, None]
    assert [one["results"][0]["path"] for one in answers[::2]] == ["red/0.jpg", "blue/0.jpg"]
    known = service.get("/images?limit=1").json["images"][0]["id"]
    queries = [{"ids": [known]}, {"ids": ["00000000-0000-0000-0000-000000000000"]}]
    answers = service.post("/search/batch", {"queries": queries}).json["answers"]
    assert known not in [one["id"] for one in answers[0]["results"]]
    kept = [{"ids": [known], "self": True}]
    answers[:1] = service.post("/search/batch", {"queries": kept}).json["answers"]
    assert answers[0]["results"][0]["id"] == known
    assert (answers[1]["status"], answers[1]["title"]) == (404, "Not Found")


def test_a_batch_answers_as_single_questions_do(service: Service, photos: Path) -> None:
    pictures = sorted(photos.rglob("*.jpg"))
    answers = service.send("/search/batch", pictures, n="3").json["answers"]
    assert len(answers) == 18
    for picture, answer in zip(pictures[::6], answers[::6], strict=True):
        alone = service.send("/search", [picture], n="3").json
        assert answer["results"] == alone["results"]
        assert answer["query"] == picture.name


def test_pictures_and_ids_are_one_question(service: Service, photos: Path) -> None:
    known = service.get("/images?limit=1").json["images"][0]["id"]
    reply = service.send(
        "/search", [photos / "red" / "0.jpg"], [photos / "blue" / "0.jpg"], ids=known, n="18"
    )
    assert reply.status == 200
    assert reply.json["query"].startswith("0.jpg")
    assert all(
        set(result["links"]) == {"image", "thumbnail", "record"} for result in reply.json["results"]
    )
