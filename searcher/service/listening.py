"""The sockets a service listens on: one address, and a Unix socket for the home's own commands."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from searcher.service.policy import Policy
from shared.errors import SettingsError
from shared.store.sharing import SEARCH_SOCKET_NAME, private_folder, socket_path

_BACKLOG = 512
_LOCK_NAME = "search.lock"


class SharedListener(socket.socket):
    """A listening socket of several processes: whoever wakes takes one connection and looks again.

    asyncio takes all that wait, and leaves none of a burst to the other processes: seven of eight
    clients were one worker's.
    """

    _has_taken = False

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection, and who it is from; every other time `BlockingIOError`."""
        if self._has_taken:
            self._has_taken = False
            raise BlockingIOError
        taken = super().accept()
        self._has_taken = True
        return taken

    def __reduce__(self) -> tuple[Any, ...]:
        """How it goes to a process that is being started."""
        return _again, (DupFd(self.fileno()), self.family, self.type, self.proto)


def _again(
    descriptor: Any, family: socket.AddressFamily, kind: socket.SocketKind, protocol: int
) -> SharedListener:
    return SharedListener(family, kind, protocol, fileno=descriptor.detach())


def listen(policy: Policy) -> socket.socket:
    """A socket at the policy's host and port. Raises `SettingsError` if that cannot be had."""
    try:
        found = socket.getaddrinfo(
            policy.host, policy.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        listener = SharedListener(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"host {policy.host} is no address: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"address {policy.host}:{policy.port} cannot be used: {error.strerror}: "
            "choose another --port"
        ) from error
    return listener


@contextlib.contextmanager
def home_socket(run: Path) -> Iterator[socket.socket | None]:
    """The Unix socket of the home, 0600 in a folder of 0700; None when another service of the same
    home has it. It is removed at the end."""
    private_folder(run)
    lock = os.open(run / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        path = socket_path(run, SEARCH_SOCKET_NAME)
        path.unlink(missing_ok=True)  # stale: whoever has the lock is the only one to listen
        with SharedListener(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(_BACKLOG)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)
    finally:
        os.close(lock)
