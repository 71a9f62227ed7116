"""Answers as text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searcher.answer import Answer, Took
from searcher.render import share, table
from shared.report import escape
from shared.types import ScoredImage
from tests.fakes import record


def answer_of(*results: ScoredImage, number: int = 2, searched: int = 512) -> Answer:
    return Answer("g1/3", ("g1/3",), searched, 3068, number, results, Took())


RESULTS = (
    ScoredImage("1", 1.0, record("shoes/a.jpg", "g1/3")),
    ScoredImage("2", -0.0625, record("b.jpg", "g1/3")),
)


def test_the_table() -> None:
    assert table("query.jpg", answer_of(*RESULTS)) == (
        "query.jpg · cluster g1/3 · searched 512 of 3,068 (17 %)\n"
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
    assert text.endswith("only 2 in this cluster: 2 of 12 wanted\n")
    text = table("q", answer_of(RESULTS[0], number=12, searched=1))
    assert text.endswith("only 1 in this cluster: 1 of 12 wanted\n")
    empty = table("q", answer_of(number=12, searched=0)).splitlines()
    assert empty[1:] == ["only 0 in this cluster: 0 of 12 wanted"]


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
        (512, 3068, "17 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 3000, "<1 %"),
        (2999, 3000, ">99 %"),
        (0, 0, "0 %"),
    ],
)
def test_shares(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown
