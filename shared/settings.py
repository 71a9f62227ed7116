"""Frozen settings; a flag wins over the environment, that over the file, that over the default.

This is the only reader of environment and settings file. A home may hold `settings.toml` with the
field names below as keys; the environment spells them `LOOKALIKE_SETTLE_SECONDS` and so on.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

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
    flush_points: int = 7000
    """The embedded store tidies itself after this many changed points, and flushes sooner."""
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
    qdrant_url: str | None = None
    """The Qdrant server that keeps the vectors in place of the embedded store, such as
    ``http://qdrant:6333``; several nodes of one cluster are separated by commas."""
    qdrant_api_key: str | None = field(default=None, repr=False)
    """What Qdrant wants to see of who asks; searchers do with a read-only key."""
    qdrant_api_key_file: str | None = None
    """A file that holds the key, as container secrets are given."""
    qdrant_ca_file: str | None = None
    """Certificates (PEM) that sign the server's, where the system does not know them."""
    qdrant_grpc_port: int = 0
    """Talk gRPC with this port of every node; 0 talks REST."""
    qdrant_prefix: str = "lookalike"
    """What the names of collections begin with; alone, the alias of the one that answers."""
    qdrant_shards: int = 1
    """Shards of a collection that is made; six suit three nodes."""
    qdrant_replicas: int = 1
    """On how many nodes each shard of a collection that is made lies."""
    qdrant_write_consistency: int = 1
    """How many replicas must have acknowledged a write."""
    qdrant_quantization: str = "none"
    """``none``, or ``int8``: a copy in memory is searched first, the best looked at again in
    Float16. It saves memory together with ``qdrant_storage = "disk"``."""
    qdrant_storage: str = "memory"
    """``memory``, or ``disk``: vectors and graph stay there, and only what is asked for is read."""
    models_folder: str | None = None
    """Where the models lie if not in the home: a folder that several machines share."""
    roots: str | None = None
    """Where root ids lie on this machine, ``NAME=FOLDER`` separated by colons, for searchers
    whose home has never been indexed into; others know from ``roots.json``."""
    upgrade_grace_seconds: float = 86_400.0
    """How long the collection of the encoder before an upgrade is kept true, to return to."""
    partition: str | None = None
    """``i/n``: this indexer takes the i-th of n parts of all paths, counted from 1."""
    qdrant_timeout_seconds: float = 10.0
    """Longest time that one request to the server may take."""
    qdrant_wait_seconds: float = 30.0
    """How long short commands try a server that does not answer; daemons try for ever."""

    def __post_init__(self) -> None:
        for name in (
            "max_pixels",
            "max_file_bytes",
            "batch_size",
            "flush_points",
            "url_max_bytes",
            "qdrant_shards",
            "qdrant_replicas",
            "qdrant_write_consistency",
        ):
            _require(name, getattr(self, name), "at least 1", getattr(self, name) >= 1)
        for name in (
            "decode_workers",
            "min_free_bytes",
            "store_wait_seconds",
            "qdrant_grpc_port",
            "qdrant_wait_seconds",
            "upgrade_grace_seconds",
        ):
            _require(name, getattr(self, name), "at least 0", getattr(self, name) >= 0)
        for name in (
            "settle_seconds",
            "rescan_seconds",
            "decode_timeout_seconds",
            "url_timeout_seconds",
            "qdrant_timeout_seconds",
        ):
            _require(name, getattr(self, name), "more than 0", getattr(self, name) > 0)
        _require_address("url", self.url)
        for address in self.qdrant_urls:
            _require_address("qdrant_url", address)
        for name in ("api_key", "qdrant_api_key"):
            key = getattr(self, name)
            if key is not None and not re.fullmatch("[!-~]+", key):
                raise SettingsError(f"setting {name}: it must be ASCII letters, digits and signs")
        if not re.fullmatch("[a-z][a-z0-9_]{0,40}", self.qdrant_prefix):
            raise SettingsError(
                f"setting qdrant_prefix is {self.qdrant_prefix!r}: it must be lower-case letters, "
                "digits and _"
            )
        _require_one_of("qdrant_quantization", self.qdrant_quantization, ("none", "int8"))
        _require_one_of("qdrant_storage", self.qdrant_storage, ("memory", "disk"))

    @property
    def models(self) -> Path:
        """Encoder bundles, clusterings, and which pair is current."""
        return Path(self.models_folder) if self.models_folder else self.home / "models"

    @property
    def store(self) -> Path:
        """The embedded store, one folder a collection."""
        return self.home / "store"

    @property
    def qdrant_urls(self) -> tuple[str, ...]:
        """The addresses of the server's nodes; none means the embedded store."""
        given = (address.strip() for address in (self.qdrant_url or "").split(","))
        return tuple(address for address in given if address)

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


def _require_address(name: str, address: str | None) -> None:
    if address is not None and not _WEB_ADDRESS.fullmatch(address):
        shown = re.sub("//.*@", "//...@", address)  # a password is nobody's business
        wanted = "an http:// or https:// address without user, query or fragment"
        raise SettingsError(f"setting {name} is {shown!r}: it must be {wanted}")


def _require_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SettingsError(f"setting {name} is {value!r}: it must be {' or '.join(known)}")


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
            found[one.name] = _convert(variable, one, text)
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
    known = {one.name: one for one in fields(Settings) if one.name != "home"}
    for name in values:
        if name not in known:
            raise SettingsError(f"{source}: unknown setting {name!r}, known are {', '.join(known)}")
    return {
        name: _convert(f"{name} ({source})", known[name], value) for name, value in values.items()
    }


def _convert(name: str, setting: Field[Any], value: object) -> int | float | str | None:
    if "str" not in str(setting.type):
        return _number(name, setting.type, value)
    if not isinstance(value, str):
        raise SettingsError(f"setting {name} is no text: put it in quotes")
    # Empty means the default, so that the environment can take back what the file says.
    return value or cast("str | None", setting.default)


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
