"""What the service allows: whom it answers, how much it takes, how long it waits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from shared.errors import SettingsError

DEFAULT_PORT = 8765
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Policy:
    """How one service runs. Sizes are in bytes, times in seconds.

    `keys`: API keys, each of which may read everything; none means that nobody is asked for one.
    `hosts`: names that a request may be addressed to besides localhost and plain addresses.
    `origins`: pages elsewhere whose scripts may ask. `keep_positions`: originals leave the machine
    with the place they were taken at. `upload_bytes`: the largest request body; `held_bytes`:
    of all bodies at a time. `examples`: most of each kind in one question. `threads`: questions
    answered at once; `waiting`: how many more may wait.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    workers: int = 1
    keys: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    keep_positions: bool = False
    thumbnails: Path | None = None
    thumbnail_bytes: int = 512 * MEBIBYTE
    compared_bytes: int = 128 * MEBIBYTE
    upload_bytes: int = 32 * MEBIBYTE
    held_bytes: int = 512 * MEBIBYTE
    examples: int = 16
    batch: int = 100
    threads: int = 2
    waiting: int = 128
    streams: int = 100
    connections: int = 1_000
    head_bytes: int = 64 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 30.0
    stop_seconds: float = 10.0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self, *, insecure: bool) -> None:
        """Raise `SettingsError` for a service that anybody in the network could use."""
        if not self.is_loopback and not self.keys and not insecure:
            raise SettingsError(
                f"host {self.host} is reachable from other machines: give --api-keys FILE, or say "
                "--insecure if everybody there may see the pictures"
            )
