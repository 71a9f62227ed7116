"""API keys: read from a file, compared in constant time, and turned into the page's cookie."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from shared.errors import SettingsError

COOKIE = "lookalike_session"
SHORTEST = 16
_PURPOSE = b"lookalike page session, version 1"


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a file, one a line; empty lines and what follows # at a line's begin are passed
    over. Raises `SettingsError`, never repeating a key."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain ASCII"
        raise SettingsError(f"key file {path} cannot be read: {reason}") from error
    keys = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if len(line) < SHORTEST or not line.isprintable() or " " in line:
            raise SettingsError(
                f"key file {path}, line {number}: a key has at least {SHORTEST} characters and no "
                "space: make one with `openssl rand -hex 32`"
            )
        keys.append(line)
    if not keys:
        raise SettingsError(f"key file {path} holds no key: write one a line")
    return tuple(keys)


def is_known(given: str, keys: Sequence[str]) -> bool:
    """Whether `given` is one of the keys. All are compared, each in constant time."""
    wanted = given.encode("utf-8", "surrogateescape")
    return any(hmac.compare_digest(wanted, key.encode()) for key in keys)


def session(key: str) -> str:
    """The cookie that stands for a key, 64 hex digits: it does not give the key away."""
    return hmac.new(key.encode("utf-8", "surrogateescape"), _PURPOSE, hashlib.sha256).hexdigest()


def presented(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """The key in a request's headers, `Authorization: Bearer KEY` or `X-API-Key: KEY`."""
    for name, value in headers:
        text = value.decode("latin-1").strip()
        if name == b"x-api-key":
            return text
        scheme, _, key = text.partition(" ")
        if name == b"authorization" and scheme.lower() == "bearer":
            return key.strip()
    return None


def is_allowed(headers: Sequence[tuple[bytes, bytes]], keys: Sequence[str]) -> bool:
    """Whether a request bears a key, or the cookie of one."""
    given = presented(headers)
    if given is not None:
        return is_known(given, keys)
    cookie = _cookie(headers)
    return cookie is not None and is_known(cookie, [session(key) for key in keys])


def _cookie(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if found is not None:
                return found.value
    return None
