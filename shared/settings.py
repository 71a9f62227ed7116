"""Frozen settings; a flag wins over the environment, that over the file, that over the default.

This is the only reader of environment and settings file. A home may hold `settings.toml` with the
field names below as keys; the environment spells them `LOOKALIKE_SETTLE_SECONDS` and so on.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from shared.errors import SettingsError

PREFIX = "LOOKALIKE_"
FILE_NAME = "settings.toml"

_WEB_ADDRESS = re.compile(
    r"https?://(\[[0-9a-f:.]+\]|[^\s/:?#@\[\]]+)(:\d{1,5})?(/[\w.~/%-]*)?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Sizes are in bytes, times in seconds, as the names say."""

    home: Path
    """Where models, store and journal live."""
    max_pixels: int = 100_000_000
    """Pictures of more pixels are refused before they are decoded."""
    max_file_bytes: int = 256 * 2**20
    """Larger files are refused unread."""
    decode_workers: int = 0
    """Processes that decode; 0 means one per processor."""
    decode_timeout_seconds: float = 10.0
    """A picture that decodes for longer is refused and its worker replaced."""
    batch_size: int = 64
    """Pictures encoded and upserted together."""
    settle_seconds: float = 1.0
    """A file is read only after size, times and inode have rested for this long."""
    rescan_seconds: float = 600.0
    """Disk and journal are compared this often, whatever the events say."""
    min_free_bytes: int = 256 * 2**20
    """Indexing pauses below this much free space."""
    flush_points: int = 2000
    """The embedded store flushes after this many changed points."""
    store_wait_seconds: float = 5.0
    """How long to wait for an embedded store that another process holds."""
    url_timeout_seconds: float = 10.0
    """Total time that a query image may take to download."""
    url_max_bytes: int = 32 * 2**20
    """Largest query image that is downloaded."""
    url: str | None = None
    """A search service that answers queries in place of this machine, such as
    ``http://photos.lan:8765``."""
    api_key: str | None = field(default=None, repr=False)
    """What that service wants to see of who asks; never shown."""

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_file_bytes", "batch_size", "flush_points", "url_max_bytes"):
            _require(name, getattr(self, name), "at least 1", getattr(self, name) >= 1)
        for name in ("decode_workers", "min_free_bytes", "store_wait_seconds"):
            _require(name, getattr(self, name), "at least 0", getattr(self, name) >= 0)
        for name in (
            "settle_seconds",
            "rescan_seconds",
            "decode_timeout_seconds",
            "url_timeout_seconds",
        ):
            _require(name, getattr(self, name), "more than 0", getattr(self, name) > 0)
        if self.url is not None and not _WEB_ADDRESS.fullmatch(self.url):
            shown = re.sub("//.*@", "//...@", self.url)  # a password is nobody's business
            wanted = "an http:// or https:// address without user, query or fragment"
            raise SettingsError(f"setting url is {shown!r}: it must be {wanted}")
        if self.api_key is not None and not re.fullmatch("[!-~]+", self.api_key):
            raise SettingsError("setting api_key: it must be ASCII letters, digits and signs")

    @property
    def models(self) -> Path:
        """Encoder bundles, clusterings, and which pair is current."""
        return self.home / "models"

    @property
    def store(self) -> Path:
        """The embedded store, one folder a collection."""
        return self.home / "store"

    @property
    def journal(self) -> Path:
        """The SQLite journal."""
        return self.home / "journal.sqlite3"

    @property
    def run(self) -> Path:
        """Locks and the socket of the running process."""
        return self.home / "run"

    @property
    def workers(self) -> int:
        """`decode_workers` with 0 resolved to the processors this process may use."""
        if self.decode_workers:
            return self.decode_workers
        if hasattr(os, "sched_getaffinity"):  # macOS has none
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


def _require(name: str, value: float, wanted: str, ok: bool) -> None:
    if not ok:
        raise SettingsError(f"setting {name} is {value}: it must be {wanted}")


def load_settings(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Settings from flags (None values mean *not given*), environment, file and defaults.

    Raises `SettingsError` for an unknown key among flags or in the file, for a value of the wrong
    kind or out of range, and for a file that cannot be read.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    environ = os.environ if environ is None else environ
    home = _home(given.pop("home", None) or environ.get(PREFIX + "HOME") or default_home())
    values = _from_file(home / FILE_NAME) | _from_environment(environ) | _checked("flags", given)
    return Settings(home=home, **values)


def _home(given: str | os.PathLike[str]) -> Path:
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(f"setting home is {os.fspath(given)!r}: {error}") from error


def default_home() -> Path:
    """The platform's data directory for Lookalike."""
    from platformdirs import user_data_path

    return user_data_path("lookalike", appauthor=False)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for one in fields(Settings):
        variable = PREFIX + one.name.upper()
        text = environ.get(variable)
        if one.name != "home" and text is not None:
            found[one.name] = _convert(variable, one.type, text)
    return found


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"settings file {path} cannot be read: {reason}") from error
    import tomllib  # only homes with a settings file pay for it

    try:
        values = tomllib.loads(text)
    except ValueError as error:
        raise SettingsError(f"settings file {path} is no TOML: {error}") from error
    return _checked(f"settings file {path}", values)


def _checked(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as numbers or texts of each setting's kind; unknown names are refused."""
    kinds = {one.name: one.type for one in fields(Settings) if one.name != "home"}
    for name in values:
        if name not in kinds:
            raise SettingsError(f"{source}: unknown setting {name!r}, known are {', '.join(kinds)}")
    return {
        name: _convert(f"{name} ({source})", kinds[name], value) for name, value in values.items()
    }


def _convert(name: str, kind: object, value: object) -> int | float | str | None:
    return _text(name, value) if "str" in str(kind) else _number(name, kind, value)


def _text(name: str, value: object) -> str | None:
    """Empty means none, so that the environment can take back what the file says."""
    if not isinstance(value, str):
        raise SettingsError(f"setting {name} is no text: put it in quotes")
    return value or None


def _number(name: str, kind: object, value: object) -> int | float:
    number = float if "float" in str(kind) else int
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        converted = number(value)
        if not math.isfinite(converted) or (isinstance(value, float) and converted != value):
            raise ValueError
        return converted
    except (ValueError, OverflowError):
        article = "a whole number" if number is int else "a number"
        raise SettingsError(f"setting {name} is {value!r}: it must be {article}") from None
