"""API keys: how they are read, compared and turned into a cookie."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest

from searcher.service import keys
from shared.errors import SettingsError

KEYS = ("a-key-of-some-length", "another-key-of-length")
Header = tuple[bytes, bytes]


def cookie(value: str) -> Header:
    return (b"cookie", f"a=b; {keys.COOKIE}={value}; c=d".encode())


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([], False),
        ([(b"x-api-key", KEYS[0].encode())], True),
        ([(b"x-api-key", KEYS[1].encode() + b" ")], True),
        ([(b"authorization", b"Bearer " + KEYS[0].encode())], True),
        ([(b"authorization", b"BEARER  " + KEYS[1].encode())], True),
        ([(b"authorization", b"Basic " + KEYS[0].encode())], False),
        ([(b"authorization", KEYS[0].encode())], False),
        ([(b"x-api-key", b"")], False),
        ([(b"x-api-key", b"\xff\xfe")], False),
        ([(b"x-api-key", KEYS[0].encode()[:-1])], False),
        ([cookie(keys.session(KEYS[0]))], True),
        ([cookie(keys.session(KEYS[1]))], True),
        ([cookie(keys.session("a-key-that-is-not-known"))], False),
        ([cookie(KEYS[0])], False),
        ([(b"cookie", b"\xff=;;=")], False),
        ([(b"x-api-key", b"wrong"), cookie(keys.session(KEYS[0]))], False),
    ],
)
def test_who_is_allowed(headers: list[Header], allowed: bool) -> None:
    assert keys.is_allowed(headers, KEYS) is allowed


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(keys.hmac, "compare_digest", watched)
    assert not keys.is_known("wrong", KEYS)
    assert compared == [(b"wrong", key.encode()) for key in KEYS]


def test_a_cookie_does_not_give_its_key_away() -> None:
    assert len(keys.session(KEYS[0])) == 64
    assert KEYS[0] not in keys.session(KEYS[0])
    assert keys.session(KEYS[0]) != keys.session(KEYS[1])


def test_a_file_of_keys(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# comment\n\n  {KEYS[0]}  \r\n{KEYS[1]}")
    assert keys.read_keys(tmp_path / "keys") == KEYS


@pytest.mark.parametrize(
    "content", [b"", b"# only\n", b"short", b"a key with spaces in it", b"\xff" * 20]
)
def test_a_file_that_holds_no_keys_is_refused_and_not_repeated(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(SettingsError, match="key file") as raised:
        keys.read_keys(tmp_path / "keys")
    assert content.decode("latin-1").strip() in ("", "# only") or (
        content.decode("latin-1") not in str(raised.value)
    )


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        keys.read_keys(tmp_path / "keys")
