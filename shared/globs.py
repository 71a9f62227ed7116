"""Globs: patterns for paths and folders, with ``*``, ``?``, ``[...]`` and ``**``."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"""(?P<folders> (?:^|(?<=/)) \*\*+ /)
      | (?P<all> \*\*+)
      | (?P<star> \*)
      | (?P<one> \?)
      | \[ (?P<negated> [!^]?) (?P<listed> \][^\]/]*|[^\]/]+) \]
      | (?P<text> [^*?\[]+ | \[)""",
    re.VERBOSE | re.DOTALL,
)


_ALL, _FOLDERS = ".*?", "(?:.*?/)??"


def is_glob(text: str) -> bool:
    """Whether any character of the text has a meaning in a glob."""
    return any(char in text for char in "*?[")


def matcher(glob: str) -> Callable[[str], bool]:
    """Return the function that says whether the whole of a text matches a glob.

    ``*`` is any number of characters and ``?`` is one, ``[a-z]`` one of those listed and
    ``[!a-z]`` one that is not; none of them is "/". ``**`` is any number of characters, "/"
    included, and ``**/`` at the start of a folder's name any number of folders, even none. Matching
    takes at most the square of the length of the text.
    """
    pattern = re.compile(_regex(glob), re.DOTALL)
    return lambda text: pattern.fullmatch(text) is not None


def _regex(glob: str) -> str:
    """Return the glob as a regular expression without exponential backtracking.

    The text between two stars is matched where it ends first, in an atomic group: if the rest of
    the glob does not match after that place, it does not match after a later one. Everything
    between two ``**`` is one such group, because it holds a fixed number of "/".
    """
    chunks: list[tuple[str, list[str]]] = [("", [""])]
    for token in _TOKEN.finditer(glob):
        kind = token.lastgroup
        if kind in ("folders", "all"):
            if kind == "all" or chunks[-1][0] != _FOLDERS or any(chunks[-1][1]):
                chunks.append((_FOLDERS if kind == "folders" else _ALL, [""]))
        elif kind == "star":
            chunks[-1][1].append("")
        else:
            chunks[-1][1][-1] += _single(token)
    return _joined(chunks)


def _joined(chunks: list[tuple[str, list[str]]]) -> str:
    made = ""
    for place, (lead, pieces) in enumerate(chunks):
        inner = pieces[0]
        for number, piece in enumerate(pieces[1:], start=2):
            step = "[^/]*?" + piece
            is_last = number == len(pieces) and place == len(chunks) - 1
            inner += step if is_last else f"(?>{step})"
        made += lead + inner if place == len(chunks) - 1 else f"(?>{lead}{inner})"
    return made


def _single(token: re.Match[str]) -> str:
    """What stands for exactly one text or one character, as a regular expression."""
    if token["one"]:
        return "[^/]"
    if token["text"]:
        return re.escape(token["text"])
    listed = _listed(token["listed"])
    if token["negated"]:
        return f"[^/{listed}]"
    return f"(?!/)[{listed}]" if listed else "(?!)"


def _listed(text: str) -> str:
    """The characters and ranges of ``[...]``, escaped; a reversed range is empty."""
    made = ""
    for part in re.finditer(r"(.)-(.)|(.)", text, re.DOTALL):
        first, last, alone = part.groups()
        if alone is not None:
            made += re.escape(alone)
        elif first <= last:
            made += f"{re.escape(first)}-{re.escape(last)}"
    return made
