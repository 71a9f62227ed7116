"""Which store a home uses from now on: one line of its `settings.toml`."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import tomllib
from pathlib import Path

from shared.settings import FILE_NAME


def switch(home: Path, url: str | None) -> bool:
    """Have the home's settings file name this server, or with None no server.

    Everything else of the file stays as it is, its permissions too. False, and nothing changed, if
    the file cannot be written or is written in a way that one line cannot change.
    """
    path = Path(os.path.realpath(home / FILE_NAME))
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = with_setting(before, "qdrant_url", url)
        if after is None:
            return False
        if after != before:
            _replace(path, after.encode())
    except (OSError, ValueError):
        return False
    return True


def with_setting(text: str, name: str, value: str | None) -> str | None:
    """The settings file's text with one setting replaced, added, or with None taken out.

    Returns None if the outcome would not say exactly that. Raises ValueError for what is no TOML.
    """
    wanted = tomllib.loads(text)
    wanted.pop(name, None)
    line = re.compile(rf"\s*(['\"]?){re.escape(name)}\1\s*=")
    lines = [one for one in text.splitlines(keepends=True) if not line.match(one)]
    if value is not None:
        wanted[name] = value
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(setting_line(name, value) + "\n")
    after = "".join(lines)
    try:
        return after if tomllib.loads(after) == wanted else None
    except ValueError:
        return None


def setting_line(name: str, value: str | float) -> str:
    """One setting as TOML: its basic strings are spelled as those of JSON, but for DEL."""
    return f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")


def _replace(path: Path, data: bytes) -> None:
    """As a file that only its old readers can read: it may hold keys."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    beside = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
