"""Nodes of a server: how each is talked with, and whether it is of a version that we know."""

from __future__ import annotations

import logging
import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from qdrant_client import QdrantClient

from shared.errors import SettingsError, StoreRefused
from shared.settings import Settings

OLDEST, BELOW = (1, 13), (2, 0)
"""Supported versions. Batches of queries, tenant indexes, Float16 and exact facets are in 1.12;
from 1.13 on, a server that is asked too much says how long to wait."""
DEFAULT_PORT = 6333
IDLE_SECONDS = 4.0
"""An unused connection is kept for this long: the server ends it after five."""
GRPC_OPTIONS = {"grpc.initial_reconnect_backoff_ms": 200, "grpc.max_reconnect_backoff_ms": 2_000}
"""Left to itself, a channel to a server that was away for long stays silent for two minutes."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger(__name__)


class Node:
    """One node of a server at the address `url`."""

    def __init__(self, url: str, client: QdrantClient) -> None:
        self.url = url
        self._client = client
        self._known = False

    def client(self) -> QdrantClient:
        """The client, once the node's version is known; raises `StoreRefused` for others.

        Two threads may both look for the version: that harms nothing, a lock held meanwhile would.
        """
        if not self._known:
            check_version(self.url, self._client.info().version)
            self._known = True
        return self._client

    def forget(self) -> None:
        """It went away: what comes back may be of another version."""
        self._known = False

    def close(self) -> None:
        """End its connections."""
        self._client.close()


def nodes(settings: Settings) -> list[Node]:
    """The nodes that the settings name; nothing is sent yet.

    Raises `SettingsError` for a key or certificates that cannot be read.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    key, trusted = _key(settings), _certificates(settings)
    for url in settings.qdrant_urls if key else ():
        parts = urlsplit(url)
        if parts.scheme.lower() == "http" and parts.hostname not in LOOPBACK:
            _log.warning("the key goes to %s unencrypted: use https outside closed networks", url)
    return [Node(url, _client(url, settings, key, trusted)) for url in settings.qdrant_urls]


def _client(
    url: str, settings: Settings, key: str | None, trusted: ssl.SSLContext | None
) -> QdrantClient:
    options: dict[str, Any] = dict(GRPC_OPTIONS)
    more: dict[str, Any] = {}
    if trusted is not None and settings.qdrant_ca_file:
        more["verify"] = trusted
        options["root_certificates"] = Path(settings.qdrant_ca_file).read_bytes()
    return QdrantClient(
        url=url,
        port=DEFAULT_PORT,
        prefer_grpc=settings.qdrant_grpc_port > 0,
        grpc_port=settings.qdrant_grpc_port,
        grpc_options=options,
        timeout=settings.qdrant_timeout_seconds,  # type: ignore[arg-type]  # it rounds up itself
        # Handed over as `api_key`, it would be warned of in words of the library's own.
        headers={"api-key": key} if key else None,
        check_compatibility=False,
        # Otherwise every request to this machine is a connection of its own.
        limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
        **more,
    )


def _key(settings: Settings) -> str | None:
    if settings.qdrant_api_key or not settings.qdrant_api_key_file:
        return settings.qdrant_api_key
    path = settings.qdrant_api_key_file
    try:
        key = Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise SettingsError(
            f"setting qdrant_api_key_file is {path!r}: it cannot be read: {reason}"
        ) from error
    if not re.fullmatch("[!-~]+", key):
        wanted = "it must hold one key of ASCII letters, digits and signs"
        raise SettingsError(f"setting qdrant_api_key_file is {path!r}: {wanted}")
    return key


def _certificates(settings: Settings) -> ssl.SSLContext | None:
    path = settings.qdrant_ca_file
    if not path:
        return None
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError is one
        reason = error.strerror or str(error)
        raise SettingsError(
            f"setting qdrant_ca_file is {path!r}: certificates cannot be read: {reason}"
        ) from error


def check_version(url: str, version: str) -> None:
    """Raises `StoreRefused` unless a server of this version can be used."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or not OLDEST <= (int(found[1]), int(found[2])) < BELOW:
        oldest, below = (".".join(map(str, numbers)) for numbers in (OLDEST, BELOW))
        raise StoreRefused(
            f"qdrant at {url} is of version {version}: run one from {oldest} on, below {below}"
        )
