"""Frames between the owner of an embedded store and its clients, over a Unix socket.

A frame is 4 bytes length of all that follows, 4 bytes length of the header, the header as JSON,
then raw float32 rows; all numbers are little-endian. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shared import errors
from shared.conditions import Condition
from shared.errors import LookalikeError, StoreError
from shared.types import EMBEDDING_SIZE, Embeddings, ImageRecord, StoredImage

if TYPE_CHECKING:
    from socket import socket

WIRE_VERSION = 4
"""Sent with every request; an owner of another version refuses it."""
MAX_REQUEST_BYTES = 16 * 2**20
"""What the owner accepts: 1,000 points are about 3 MB."""
MAX_REPLY_BYTES = 256 * 2**20
"""What a client accepts from its owner."""

_LENGTHS = struct.Struct("<II")
NO_VECTORS: Embeddings = np.empty((0, EMBEDDING_SIZE), np.float32)

Message = tuple[dict[str, Any], Embeddings]


class FrameError(StoreError):
    """A frame that is too long or cannot be read; the connection is of no more use."""


class FrameTooLong(FrameError):
    """A frame over the limit, found before it was sent."""


def encode(header: Mapping[str, Any], vectors: Embeddings = NO_VECTORS, *, limit: int) -> bytes:
    """One frame, or `FrameTooLong` when it would hold more than `limit` bytes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    raw = np.ascontiguousarray(vectors, dtype="<f4").tobytes()
    size = 4 + len(text) + len(raw)
    if size > limit:
        raise FrameTooLong(f"a message of {size} bytes exceeds {limit}: ask for fewer points")
    return _LENGTHS.pack(size, len(text)) + text + raw


def receive(link: socket, *, limit: int) -> Message:
    """The next frame of at most `limit` bytes.

    Raises `EOFError` when the other side is gone and `FrameError` for what is not a frame.
    """
    size, text_size = _LENGTHS.unpack(_receive_bytes(link, _LENGTHS.size))
    if size > limit:
        raise FrameError(f"a frame of {size} bytes exceeds {limit}: send smaller ones")
    if size < 4 + text_size:
        raise FrameError(f"a frame of {size} bytes cannot hold a header of {text_size}")
    body = _receive_bytes(link, size - 4)
    try:
        header = json.loads(body[:text_size])
        rows = np.frombuffer(body, dtype="<f4", offset=text_size).reshape(-1, EMBEDDING_SIZE)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise FrameError(f"a frame's header is a {type(header).__name__}, expected an object")
    return header, rows.astype(np.float32, copy=False)


def _receive_bytes(link: socket, count: int) -> bytearray:
    buffer = bytearray(count)
    view = memoryview(buffer)
    while view:
        received = link.recv_into(view)
        if not received:
            raise EOFError("the other side closed the connection")
        view = view[received:]
    return buffer


def pack_records(records: Iterable[ImageRecord]) -> list[Any]:
    """Records as JSON values: pairs of id and payload."""
    return [[record.id, record.to_payload()] for record in records]


def unpack_records(pairs: Iterable[Any]) -> list[ImageRecord]:
    """What `pack_records` packed."""
    return [ImageRecord.from_payload(point_id, payload) for point_id, payload in pairs]


def pack_images(images: Iterable[StoredImage]) -> Message:
    """Points as a header and, where they carry vectors, one row each."""
    images = list(images)
    rows = [image.vector for image in images if image.vector is not None]
    header = {"records": pack_records(image.record for image in images)}
    return header, np.stack(rows) if rows else NO_VECTORS


def unpack_images(header: Mapping[str, Any], vectors: Embeddings) -> list[StoredImage]:
    """What `pack_images` packed."""
    records = unpack_records(header["records"])
    rows = list(vectors) if len(vectors) else [None] * len(records)
    return [StoredImage(record, row) for record, row in zip(records, rows, strict=True)]


def pack_where(where: Iterable[Condition]) -> list[Any]:
    """Conditions as JSON values."""
    return [condition.to_json() for condition in where]


def unpack_where(values: Iterable[Any]) -> tuple[Condition, ...]:
    """What `pack_where` packed; raises TypeError or ValueError for others."""
    return tuple(Condition(*value) for value in values)


def pack_error(error: LookalikeError) -> dict[str, Any]:
    """An error as a reply's header."""
    return {"error": type(error).__name__, "message": str(error)}


def raise_error(header: Mapping[str, Any]) -> None:
    """Raise the error that a reply carries, as our own class; do nothing when it carries none."""
    name = header.get("error")
    if name is None:
        return
    kind = getattr(errors, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, LookalikeError)):
        kind = StoreError
    raise kind(str(header.get("message", name)))
