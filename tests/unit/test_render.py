"""Answers as text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searcher.answer import Answer, Took, remarks
from searcher.render import found_in, share, table
from shared.report import escape
from shared.types import ScoredImage
from tests.fakes import record


def answer_of(*results: ScoredImage, number: int = 2, searched: int = 512) -> Answer:
    return Answer("g1/3", ("g1/3",), searched, 3068, 3068, number, results, Took())


RESULTS = (
    ScoredImage("1", 1.0, record("shoes/a.jpg", "g1/3")),
    ScoredImage("2", -0.0625, record("b.jpg", "g1/3")),
)


def test_the_table() -> None:
    assert table("query.jpg", answer_of(*RESULTS)) == (
        "query.jpg · cluster g1/3 · searched 512 of 3,068 (17%)\n"
        "in /photos\n"
        "rank   score  cluster  path\n"
        "   1   1.000  g1/3     shoes/a.jpg\n"
        "   2  -0.062  g1/3     b.jpg\n"
    )


def test_several_roots_are_named_on_each_line() -> None:
    other = ScoredImage("3", 0.5, record("c.jpg", "g1/3", root="/more/pictures"))
    lines = table("q", answer_of(RESULTS[0], other)).splitlines()
    assert lines[1:] == [
        "rank  score  cluster  root            path",
        "   1  1.000  g1/3     /photos         shoes/a.jpg",
        "   2  0.500  g1/3     /more/pictures  c.jpg",
    ]


def test_a_small_cluster_says_so() -> None:
    text = table("q", answer_of(*RESULTS, number=12, searched=2))
    few = "of 12 wanted are in the cluster searched: give more --probes"
    assert text.endswith(f"only 2 {few}\n")
    empty = table("q", answer_of(number=12, searched=0)).splitlines()
    assert empty[1:] == [f"only 0 {few}"]


@pytest.mark.parametrize(
    ("found", "matching", "said"),
    [
        (0, 0, "no image matches"),
        (0, 1, "no other image matches"),
        (1, 1, "only 1 matches anywhere"),
        (2, 3, "only 2 match anywhere"),
        (0, 3068, "no other image is indexed"),
        (1, 3068, "only 1 other image is indexed"),
    ],
)
def test_too_few_anywhere_says_so(found: int, matching: int, said: str) -> None:
    answer = replace(answer_of(*RESULTS[:found], number=12), matching=matching, searched=matching)
    assert remarks(answer) == [said]


@pytest.mark.parametrize(
    ("clusters", "searched", "said"),
    [
        (1, 512, "512 of 3,068 (17%)"),
        (2, 900, "g1/0, g1/1: 900 of 3,068 (29%)"),
        (10, 900, "g1/0, g1/1, g1/2, g1/3, g1/4, g1/5, g1/6, g1/7 and 2 more: 900 of 3,068 (29%)"),
        (6, 3068, "all 6 clusters: 3,068 of 3,068 (100%)"),
    ],
)
def test_the_headline_names_the_clusters(clusters: int, searched: int, said: str) -> None:
    labels = tuple(f"g1/{number}" for number in range(clusters))
    answer = replace(answer_of(searched=searched), cluster="g1/0", clusters_searched=labels)
    assert found_in(answer) == f"cluster g1/0 · searched {said}"


def test_a_result_without_a_record_shows_its_id() -> None:
    lines = table("q", answer_of(ScoredImage("some-id", 0.5, None))).splitlines()
    assert lines[2] == "   1  0.500           some-id"


def test_color_is_bold_and_dim_and_nothing_else() -> None:
    plain, colored = (table("q", answer_of(*RESULTS), color=color) for color in (False, True))
    assert "\x1b" not in plain
    for code in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
        assert code in colored
        colored = colored.replace(code, "")
    assert colored == plain


def test_names_cannot_command_the_terminal() -> None:
    evil = ScoredImage("1", 0.5, record("a\nrank 1 \x1b[31m\u202egpj.x\t.jpg", "g1/3"))
    text = table("q\r\x07", answer_of(evil, number=1))
    assert text.startswith("q\\r\\x07 · cluster")
    assert text.endswith("a\\nrank 1 \\x1b[31m\\u202egpj.x\\t.jpg\n")
    odd = replace(record("x"), path="\udcff", root="/r\n")
    text = table("q", answer_of(ScoredImage("1", 0.5, odd), number=1))
    assert "in /r\\n\n" in text
    assert "\\udcff" in text


def test_visible_characters_stay() -> None:
    assert escape("Größe 写真 é 🙂.jpg") == "Größe 写真 é 🙂.jpg"


@given(st.text())
def test_escaped_text_is_printable_and_one_line(text: str) -> None:
    assert escape(text).isprintable()
    assert escape(escape(text)) == escape(text)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (512, 3068, "17%"),
        (0, 5, "0%"),
        (5, 5, "100%"),
        (1, 3000, "<1%"),
        (2999, 3000, ">99%"),
        (0, 0, "0%"),
    ],
)
def test_shares(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown
