"""The crasher: its plan derives from the seed alone, its oracle sees losses, and a short run."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.faults.crasher.daemon import judge
from tests.faults.crasher.disk import carry_out, read_all
from tests.faults.crasher.oracle import Oracle, expected, is_picture
from tests.faults.crasher.plan import Plan, Round
from tests.faults.crasher.run import Crasher
from tests.faults.crasher.world import DAEMON_ACTS, OUTSIDE, ROOTS, Node, World, is_eligible

SECONDS = 15.0


def _rounds(seed: int, count: int = 30) -> list[Round]:
    return list(itertools.islice(Plan(seed).rounds(), count))


def test_a_seed_gives_the_same_steps_and_moments_every_time() -> None:
    assert _rounds(3) == _rounds(3)
    assert _rounds(3) != _rounds(4)


def test_the_plan_does_all_that_it_should() -> None:
    rounds = _rounds(1, 60)
    done = {step.act for round_ in rounds for step in round_.steps}
    assert done >= {"write", "replace", "append", "rename", "copy", "link", "symlink", "delete"}
    assert done >= {"delete tree", "new root", "kill", "start", "stop", "continue", "end", "query"}
    assert {round_.kind for round_ in rounds} == {"usual", "drained", "remade"}
    world = World()
    for step in itertools.chain.from_iterable(round_.steps for round_ in rounds):
        world.apply(step)
    goods = [is_picture(world.nodes[name].data) for root in ROOTS for name in world.eligible(root)]
    assert True in goods
    assert False in goods


def test_the_model_is_what_lies_on_the_disk(tmp_path: Path) -> None:
    world = World()
    for name in (*ROOTS, OUTSIDE):
        (tmp_path / name).mkdir()
    for round_ in _rounds(2, 15):
        for step in round_.steps:
            if step.act not in DAEMON_ACTS:
                carry_out(tmp_path, step)
                world.apply(step)
        assert Oracle(tmp_path, tmp_path / "home").disk(world) == []
    (tmp_path / world.eligible("a")[0]).unlink()
    assert len(Oracle(tmp_path, tmp_path / "home").disk(world)) == 1


def test_a_usual_round_never_takes_more_than_half_of_a_root() -> None:
    world = World()
    for round_ in _rounds(5, 60):
        before = {root: set(world.eligible(root)) for root in ROOTS}
        for step in round_.steps:
            world.apply(step)
        if round_.kind == "usual":
            for root in ROOTS:
                gone = before[root] - set(world.eligible(root))
                assert len(gone) * 2 <= len(before[root])


@pytest.mark.parametrize(
    ("path", "counts"),
    [("a/x.jpg", True), ("a/.x.jpg", False), ("a/.f/x.jpg", False), ("a/x.jpg.part", False)],
)
def test_names_that_count(path: str, counts: bool) -> None:
    assert is_eligible(path, Node(b"")) is counts
    assert not is_eligible(path, Node(b"", is_link=True))


def test_an_answer_that_mixes_generations_or_breaks_is_seen() -> None:
    found = {"clusters_searched": ["g1/0"], "results": [{"id": "x", "cluster": "g2/0"}]}
    assert judge(0, json.dumps(found), "", excused=False)
    assert judge(1, "", "Traceback\nerror: ...\n", excused=True)
    assert judge(1, "", "error: the store is held\n", excused=False)
    assert judge(1, "", "error: the store is held\n", excused=True) == []


def test_a_short_run_loses_nothing(tmp_path: Path, tiny_tflite: Path) -> None:
    lines: list[str] = []
    totals = Crasher(tmp_path / "run", 0, tiny_tflite, lines.append).run(SECONDS)
    assert totals.losses == [], "\n".join(lines)
    assert totals.rounds == len(lines)
    assert expected(World()).good == {}
    assert read_all(tmp_path / "run", "a")
