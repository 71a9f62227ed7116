"""Unix sockets. Apart, so that a home without a service is not asked with all of HTTP loaded."""

from __future__ import annotations

import socket

CONNECT_SECONDS = 5.0


def connected(path: str) -> socket.socket:
    """A connection to the Unix socket at a path. Raises OSError when nobody listens there."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(CONNECT_SECONDS)
    try:
        link.connect(path)
    except BaseException:
        link.close()
        raise
    return link
