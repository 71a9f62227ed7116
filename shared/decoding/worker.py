"""The worker process: `python -m shared.decoding.worker SOCKET MEMORY`, two descriptors.

Reads groups of jobs, or one picture's bytes, and answers each, in order. Before each it notes in
memory shared with the parent that it starts it, so that the parent knows what it died of.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection

from shared.decoding.messages import (
    MAX_MESSAGE_BYTES,
    STARTED,
    Job,
    Outcome,
    Picture,
    edge_in_head,
    is_head,
    pack_outcomes,
    unpack_hello,
    unpack_jobs,
)
from shared.errors import ImageChanged, ImageRefused, ImageUnreadable
from shared.images import decode, jpeg_bytes, thumbnail
from shared.reading import Limits, Signature, content_hash, is_absent, read_file
from shared.types import PixelSpec

_ADDRESS_SPACE_BYTES = 3 * 2**30
"""A decoder that wants more than this gets a MemoryError: 100 megapixels in CMYK need 0.8 GiB."""

_TOGETHER_SECONDS = 0.02
"""How long outcomes may wait to be sent together."""


def main() -> None:
    """Serve one parent until it closes the connection."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    channel, shared = map(int, sys.argv[1:])
    with (
        Connection(channel) as connection,
        mmap.mmap(shared, STARTED.size) as started,
        contextlib.suppress(EOFError, OSError),
    ):
        serve(connection, started)


def serve(connection: Connection, started: mmap.mmap) -> None:
    """Answer jobs and pictures. Quick ones are answered together, a slow one at once."""
    specs, limits, timeout = unpack_hello(connection.recv_bytes(MAX_MESSAGE_BYTES))
    longest = max(MAX_MESSAGE_BYTES, limits.max_file_bytes)
    count = 0
    while True:
        ready: list[Outcome] = []
        sent = time.monotonic()
        for job in _next(connection, longest):
            count += 1
            STARTED.pack_into(started, 0, count)
            # The kernel ends a worker that hangs, even after its parent is gone.
            signal.setitimer(signal.ITIMER_REAL, timeout)
            if isinstance(job, Picture):
                ready.append(do_picture(job, specs, limits))
            else:
                ready.append(do(job, specs, limits))
            signal.setitimer(signal.ITIMER_REAL, 0)
            if time.monotonic() - sent > _TOGETHER_SECONDS:
                connection.send_bytes(pack_outcomes(ready))
                ready, sent = [], time.monotonic()
        if ready:
            connection.send_bytes(pack_outcomes(ready))


def _next(connection: Connection, longest: int) -> Iterable[Job | Picture]:
    message = connection.recv_bytes(longest)
    if is_head(message):
        return [Picture(connection.recv_bytes(longest), edge_in_head(message))]
    return unpack_jobs(message)


def do(job: Job, specs: Sequence[PixelSpec], limits: Limits) -> Outcome:
    """Read one file and decode it unless its content is known. Never raises for a bad file."""
    try:
        data, signature = read_file(job.path, limits)
    except ImageChanged:
        return Outcome("changed")
    except ImageUnreadable as unreadable:
        return Outcome("waiting", reason=str(unreadable))
    except ImageRefused as refused:
        return _refused(job, str(refused))
    digest = content_hash(data)
    if digest in job.known:
        return Outcome("known", signature, sha256=digest)
    try:
        return Outcome("decoded", signature, decode(data, specs, limits))
    except ImageRefused as refused:
        return Outcome("refused", signature, reason=str(refused))


def do_picture(picture: Picture, specs: Sequence[PixelSpec], limits: Limits) -> Outcome:
    """Decode bytes, or make a thumbnail of them. Never raises for a bad picture."""
    try:
        if picture.edge is None:
            return Outcome("decoded", decoded=decode(picture.data, specs, limits))
        image = thumbnail(picture.data, picture.edge, limits)
        return Outcome("drawn", thumbnail=jpeg_bytes(image))
    except ImageRefused as refused:
        return Outcome("refused", reason=str(refused))


def _refused(job: Job, reason: str) -> Outcome:
    try:
        return Outcome("refused", Signature.of(os.lstat(job.path)), reason=reason)
    except OSError as error:
        if is_absent(error):
            return Outcome("gone")
        return Outcome("waiting", reason=f"cannot be read: {error.strerror}")


if __name__ == "__main__":
    main()
