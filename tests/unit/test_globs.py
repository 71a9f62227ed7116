"""Globs in conditions: what they match, compared with the plainest matcher there is."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.globs import is_glob, matcher


@pytest.mark.parametrize(
    ("glob", "matched", "others"),
    [
        ("bus*", "bus buses", "b Bus abuses bus/red"),
        ("holiday/*.jpg", "holiday/1.jpg holiday/.jpg", "holiday/a/1.jpg 1.jpg holiday/1.jpgx"),
        ("holiday/**", "holiday/1.jpg holiday/a/b/2.png", "holiday holidays/1.jpg"),
        ("**/bus*", "bus 2024/buses a/b/bus", "2024/a-bus bus/red"),
        ("**/may/**/*.jpg", "may/1.jpg a/may/1.jpg a/may/b/c/1.jpg", "amay/1.jpg may/1.png"),
        ("raw**", "raw raws raw/a/b", "a/raw"),
        ("IMG_?[0-9].jpg", "IMG_01.jpg IMG_x9.jpg", "IMG_1.jpg IMG_/1.jpg IMG_0a.jpg"),
        ("[!a-c]x", "dx éx", "ax /x x"),
        ("[^a]x", "bx", "ax"),
        ("[+-9]x", "-x 0x", "/x"),
        ("a[]]b", "a]b", "a[]]b"),
        ("a[[]1]", "a[1]", "a1"),
        ("[z-a]", "", "z a -"),
        ("a[b", "a[b", "ab"),
        ("[a/b]", "[a/b]", "a b"),
        ("a.b+(c)", "a.b+(c)", "axb+(c)"),
    ],
)
def test_globs_match_as_documented(glob: str, matched: str, others: str) -> None:
    match = matcher(glob)
    for text in matched.split():
        assert match(text), text
    for text in others.split():
        assert not match(text), text


def test_a_glob_has_a_special_character() -> None:
    assert [is_glob(text) for text in ("a*", "a?", "a[1]", "a.b/c", "a]")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def plain_match(glob: str, text: str) -> bool:
    """Try every way to match, one character after the other."""

    @cache
    def match(at: int, of: int) -> bool:
        rest = glob[at:]
        if not rest:
            return of == len(text)
        if rest.startswith("**/") and (at == 0 or glob[at - 1] == "/"):
            starts = [of, *(n + 1 for n in range(of, len(text)) if text[n] == "/")]
            return any(match(at + 3, start) for start in starts)
        if rest.startswith("**"):
            return any(match(at + 2, end) for end in range(of, len(text) + 1))
        if rest.startswith("*"):
            end = text.find("/", of)
            last = len(text) if end < 0 else end
            return any(match(at + 1, end) for end in range(of, last + 1))
        if of == len(text) or (rest[0] == "?" and text[of] == "/"):
            return False
        return (rest[0] == "?" or rest[0] == text[of]) and match(at + 1, of + 1)

    return match(0, 0)


@given(st.text("ab/*?", max_size=12), st.text("ab/", max_size=12))
@example("**/a*b", "a/b/aab")
@example("a**b*a*b", "ab/abaab")
@example("**/**/a", "b/a")
@example("***a", "b/a")
def test_globs_match_what_trying_everything_matches(glob: str, text: str) -> None:
    glob = glob.replace("***", "**")  # three stars are two, which one to drop would be ambiguous
    assert matcher(glob)(text) == plain_match(glob, text)


@given(st.text("ab*?[]!-^/\\\n", max_size=12), st.text("ab-\n", max_size=6))
def test_no_glob_is_an_invalid_pattern(glob: str, text: str) -> None:
    matcher(glob)(text)


@given(st.text("abé./[]*", max_size=12))
def test_brackets_quote_every_special_character(text: str) -> None:
    quoted = "".join(f"[{char}]" if is_glob(char) else char for char in text)
    assert matcher(quoted)(text)
    assert not matcher(quoted)(text + "x")


@pytest.mark.parametrize("glob", ["*a" * 1_000 + "b", "**a" * 1_000 + "b", "**/a*" * 400 + "b"])
def test_hard_globs_end(glob: str) -> None:
    match = matcher(glob)
    assert not match("a" * 4_096)
    assert not match("a/" * 2_048)
