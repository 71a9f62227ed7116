"""`--acknowledge-only`: writes and queries are read and answered, not looked at.

So that what is measured against it is the client's side. What is asked rarely (collections, their
indexes) is answered as always, or no client would begin to write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from qdrant_client import grpc as messages

from tests.qdrant.grpc_replies import answered
from tests.qdrant.server import Handler

HITS = 10
"""Points in the answer to every query."""
_PAYLOAD = {
    "root": "/photos",
    "path": "2023/may/picture-0001.jpg",
    "folders": ["2023", "2023/may"],
    "cluster": ["g1/0"],
    "sha256": "0" * 64,
    "phash": "f" * 16,
    "width": 4000,
    "height": 3000,
    "format": "JPEG",
    "bytes": 1_234_567,
    "mtime": 1_700_000_000.25,
    "taken_at": "2023-05-01T12:00:00",
    "indexed_at": "2026-01-01T00:00:00+00:00",
    "encoder": "e1",
}
_DONE = {"operation_id": 0, "status": "completed"}
_POINTS = [
    {"id": f"{n:08x}-0000-5000-8000-000000000000", "version": 0, "score": 1 - n / 100}
    for n in range(HITS)
]
_FULL = [point | {"payload": _PAYLOAD} for point in _POINTS]
_QUERIES = re.compile(rb"POST /collections/[^/ ]+/points/query(/batch)?[? ]")
_BATCHES = re.compile(rb"POST /collections/[^/ ]+/points/batch[? ]")
_WRITES = re.compile(
    rb"(?:PUT /collections/[^/ ]+/points|POST /collections/[^/ ]+/points/(?:delete|payload))[? ]"
)


def _response(result: Any) -> bytes:
    data = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}"
    return f"{head}\r\n\r\n".encode() + data


def _hits(asked: bytes, *, batch: bool) -> bytes:
    """The answer to a query, or to as many as a batch has: none needs to be read for that."""
    points = _POINTS if b'"with_payload":false' in asked else _FULL
    one = {"points": points}
    return _response([one] * asked.count(b'"query":') if batch else one)


_ONE_DONE = _response(_DONE)
_BATCH_DONE = _response([_DONE])


class AcknowledgingHandler(Handler):
    """One connection; what is no write and no query goes the usual way."""

    def handle_one_request(self) -> None:
        """One request, as the base class reads it unless it can be answered at once."""
        line = self.raw_requestline = self.rfile.readline(65537)
        if not line:
            self.close_connection = True
        elif query := _QUERIES.match(line):
            self._say(_hits(self._read(), batch=query[1] is not None))
        elif _WRITES.match(line) or _BATCHES.match(line):
            self._read()
            self._say(_BATCH_DONE if _BATCHES.match(line) else _ONE_DONE)
        elif self.parse_request():
            self.answer()

    def _read(self) -> bytes:
        """The whole request; its body."""
        length = 0
        while (header := self.rfile.readline(65537)) not in (b"\r\n", b""):
            if header[:15].lower() == b"content-length:":
                length = int(header[15:])
        return self.rfile.read(length)

    def _say(self, response: bytes) -> None:
        self.close_connection = False
        self.wfile.write(response)


def _query_batch(data: bytes) -> Message:
    asked = messages.QueryBatchPoints.FromString(data).query_points
    return answered("qdrant.Points/QueryBatch", [{"points": _hits_of(one)} for one in asked])


def _query(data: bytes) -> Message:
    one = messages.QueryPoints.FromString(data)
    return answered("qdrant.Points/Query", {"points": _hits_of(one)})


def _hits_of(asked: messages.QueryPoints) -> list[dict[str, Any]]:
    return _FULL if asked.with_payload.enable else _POINTS


def _always(method: str, result: Any) -> Callable[[bytes], Message]:
    reply = answered(method, result)
    return lambda _: reply


CALLS: Mapping[str, Callable[[bytes], Message]] = {
    "qdrant.Points/Query": _query,
    "qdrant.Points/QueryBatch": _query_batch,
    "qdrant.Points/UpdateBatch": _always("qdrant.Points/UpdateBatch", [_DONE]),
    **{
        method: _always(method, _DONE)
        for method in ("qdrant.Points/Upsert", "qdrant.Points/Delete", "qdrant.Points/SetPayload")
    },
}
"""The gRPC calls that are answered at once, from the bytes of their message."""
