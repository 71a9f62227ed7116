"""The worker process: `python -m indexer.decoding.worker FD`. Reads jobs, answers each in order."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection

from indexer.decoding.messages import (
    MAX_MESSAGE_BYTES,
    Job,
    Outcome,
    pack_outcome,
    unpack_hello,
    unpack_jobs,
)
from shared.errors import ImageChanged, ImageRefused
from shared.images import decode
from shared.reading import Limits, Signature, content_hash, read_file
from shared.types import PixelSpec

_ADDRESS_SPACE_BYTES = 3 * 2**30
"""A decoder that wants more than this gets a MemoryError: 100 megapixels in CMYK need 0.8 GiB."""


def main() -> None:
    """Serve one parent until it closes the connection."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(int(sys.argv[1])) as connection, contextlib.suppress(EOFError, OSError):
        specs, limits, timeout = unpack_hello(connection.recv_bytes(MAX_MESSAGE_BYTES))
        while True:
            for job in unpack_jobs(connection.recv_bytes(MAX_MESSAGE_BYTES)):
                # The kernel ends a worker that hangs, even after its parent is gone.
                signal.setitimer(signal.ITIMER_REAL, timeout)
                outcome = do(job, specs, limits)
                signal.setitimer(signal.ITIMER_REAL, 0)
                connection.send_bytes(pack_outcome(outcome))


def do(job: Job, specs: Sequence[PixelSpec], limits: Limits) -> Outcome:
    """Read one file and decode it unless its content is known. Never raises for a bad file."""
    try:
        data, signature = read_file(job.path, limits)
    except ImageChanged:
        return Outcome("changed")
    except ImageRefused as refused:
        return _refused(job, str(refused))
    digest = content_hash(data)
    if digest in job.known:
        return Outcome("known", signature, sha256=digest)
    try:
        return Outcome("decoded", signature, decode(data, specs, limits))
    except ImageRefused as refused:
        return Outcome("refused", signature, reason=str(refused))


def _refused(job: Job, reason: str) -> Outcome:
    try:
        return Outcome("refused", Signature.of(os.lstat(job.path)), reason=reason)
    except OSError:
        return Outcome("gone")


if __name__ == "__main__":
    main()
