"""The small parts of the service: gate, policy, what is told of errors."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path

import pytest

from searcher.service.body import Held
from searcher.service.gate import Gate
from searcher.service.metrics import Metrics
from searcher.service.policy import Policy
from searcher.service.problems import Problem, as_problem, problem_body
from shared.errors import (
    ImageRefused,
    ImageUnknown,
    LookalikeError,
    ModelError,
    NoModel,
    QueryError,
    SettingsError,
    StoreBusy,
    StoreError,
    StoreMissing,
)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    Policy(host=host).check(insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "photos.lan", "", "127.1"])  # noqa: S104
def test_others_need_a_key_or_a_word(host: str) -> None:
    with pytest.raises(SettingsError, match="--api-keys"):
        Policy(host=host).check(insecure=False)
    Policy(host=host).check(insecure=True)
    Policy(host=host, keys=("k" * 20,)).check(insecure=False)


PATH = Path("/home/somebody/photos")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ImageUnknown("no indexed image has this id"), 404),
        (ImageRefused("cannot be decoded"), 422),
        (QueryError("where x: no"), 422),
        (NoModel(f"{PATH} has no model"), 503),
        (StoreMissing(f"{PATH} does not exist"), 503),
        (StoreBusy(f"{PATH} is held"), 503),
        (StoreError(f"{PATH} failed"), 503),
        (ModelError(f"{PATH} is damaged"), 503),
        (LookalikeError(f"{PATH} failed"), 500),
        (OSError(13, "denied", str(PATH)), 500),
        (KeyError(str(PATH)), 500),
    ],
)
def test_an_error_tells_nothing_of_this_machine(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        problem = as_problem(error)
    assert problem.status == status
    told = json.loads(problem_body(problem, "id"))
    assert set(told) == {"type", "title", "status", "detail", "instance"}
    assert str(PATH) not in json.dumps(told)
    assert ("Retry-After" in problem.headers) == (status == 503)


def test_a_long_or_odd_detail_stays_valid_json() -> None:
    body = problem_body(Problem(422, "x" * 5000 + "\ud800"), "id")
    assert len(json.loads(body)["detail"]) == 1000
    assert json.loads(problem_body(Problem(422, "\ud800"), "id"))["detail"] == "?"


def test_a_gate_takes_so_many_and_sends_the_others_away() -> None:
    gate = Gate("test", threads=1, waiting=1, meter=Metrics().gate("test"))
    go = threading.Event()

    async def four() -> list[object]:
        tasks = [asyncio.create_task(gate.run(go.wait)) for _ in range(4)]
        await asyncio.sleep(0)  # all four have come
        go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(four())
    assert found[:2] == [True, True]
    for refused in found[2:]:
        assert isinstance(refused, Problem)
        assert (refused.status, refused.headers) == (503, {"Retry-After": "1"})
    assert asyncio.run(gate.run(lambda: 5)) == 5
    gate.close()


def test_a_gate_passes_an_error_on_and_is_free_again() -> None:
    gate = Gate("test", threads=1, waiting=0, meter=Metrics().gate("test"))

    def fail() -> None:
        raise QueryError("no")

    for _ in range(3):
        with pytest.raises(QueryError):
            asyncio.run(gate.run(fail))
    gate.close()


def test_bodies_together_are_bounded() -> None:
    held = Held(100)
    held.take(60)
    with pytest.raises(Problem) as refused:
        held.take(41)
    assert refused.value.status == 503
    assert refused.value.headers["Retry-After"] == "1"
    held.take(40)
    held.give(100)
    held.take(100)
