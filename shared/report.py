"""Errors and names as one line for a terminal."""

from __future__ import annotations

import os

from shared.errors import LookalikeError


def error_line(error: BaseException) -> str:
    """What a user reads about an error: our own message, or what the system said."""
    if isinstance(error, LookalikeError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return f"unexpected {type(error).__name__}: {error}: run again with --debug and report it"


def escape(text: str) -> str:
    """The text on one line, with nothing in it that a terminal would obey.

    Control and format characters, line separators and surrogates become ``\\n``, ``\\x1b``,
    ``\\u202e`` and so on; spaces and all visible characters stay.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
