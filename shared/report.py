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


def one_line(text: str) -> str:
    """The text on one line: control characters, line ends and lone surrogates are escaped."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
