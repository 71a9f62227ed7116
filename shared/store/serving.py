"""The owner's side of the socket: answers the store's verbs, one thread a connection."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from shared.errors import LookalikeError, StoreBusy, StoreError
from shared.store import wire
from shared.store.collections import EdgeCollections
from shared.store.edge.queries import Hit
from shared.store.edge.store import EdgeStore
from shared.store.protocol import Indexed, Probe
from shared.types import Embeddings

MAX_CONNECTIONS = 32
STOP_SECONDS = 5.0
"""How long closing waits for requests that are being answered."""
SWITCH_SECONDS = 0.001
"""How long a thread of an owner may go on while another wants the interpreter. Python's own 5 ms
are as long as it takes to write a batch, and several times as long as a search."""

log = logging.getLogger(__name__)


class StoreServer:
    """Listens at `path` until closed; what goes wrong on a connection ends that connection only."""

    def __init__(self, stores: EdgeCollections, path: Path) -> None:
        self._stores = stores
        self._path = path
        self._links: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._listener = _listen(path)
        sys.setswitchinterval(SWITCH_SECONDS)
        self._acceptor = threading.Thread(target=self._accept, name="store-accept", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Stop listening, let running requests end, cut the connections. Stores stay open."""
        with self._lock:
            self._closing = True
            links, threads = list(self._links), list(self._threads)
        # A connection of our own wakes `accept` on every system; closing the listener does not.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waker:
            waker.connect(str(self._path))
        self._acceptor.join(STOP_SECONDS)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RD)  # an answer under way still goes out
        for thread in threads:
            thread.join(STOP_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError as error:
                if self._closing:
                    return
                log.warning("the store's socket could not accept a connection: %s", error)
                threading.Event().wait(0.1)  # out of file descriptors: let some be closed
                continue
            with self._lock:
                closing, full = self._closing, len(self._links) >= MAX_CONNECTIONS
                if not closing and not full:
                    self._start(link)
                    continue
            if full:
                _send(link, wire.pack_error(StoreBusy(f"{MAX_CONNECTIONS} clients: try later")))
            link.close()
            if closing:
                return

    def _start(self, link: socket.socket) -> None:
        thread = threading.Thread(
            target=self._serve, args=(link,), name="store-client", daemon=True
        )
        self._links.add(link)
        self._threads.add(thread)
        thread.start()

    def _serve(self, link: socket.socket) -> None:
        try:
            while not self._closing and self._answer_one(link):
                pass
        except (OSError, EOFError):
            pass  # the client went away
        finally:
            with self._lock:
                self._links.discard(link)
                self._threads.discard(threading.current_thread())
            link.close()

    def _answer_one(self, link: socket.socket) -> bool:
        """Answer one request; False when the connection is of no more use."""
        try:
            header, vectors = wire.receive(link, limit=wire.MAX_REQUEST_BYTES)
            if self._closing:
                return False  # the client takes over and repeats the request there
            _send(link, *answer(self._stores, header, vectors))
        except wire.FrameTooLong as error:
            _send(link, wire.pack_error(StoreError(str(error))))
        except wire.FrameError as error:
            _send(link, wire.pack_error(StoreError(str(error))))
            return False
        except LookalikeError as error:
            _send(link, wire.pack_error(error))
        except (OSError, EOFError):
            raise
        except Exception as error:  # noqa: BLE001 - nonsense must not end the owner
            log.warning("a malformed request was refused: %r", error)
            _send(link, wire.pack_error(StoreError(f"malformed request: {error!r}")))
            return False
        return True


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # stale: only the holder of the lock comes here
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise StoreError(f"socket {path} cannot be opened: {error}") from error
    return listener


def _send(
    link: socket.socket, header: dict[str, Any], vectors: Embeddings = wire.NO_VECTORS
) -> None:
    link.sendall(wire.encode(header, vectors, limit=wire.MAX_REPLY_BYTES))


def answer(stores: EdgeCollections, header: dict[str, Any], vectors: Embeddings) -> wire.Message:
    """Carry out one request.

    Raises what the store raises, and LookupError, TypeError or ValueError for what is no request.
    """
    spoken = header["wire"]
    if spoken != wire.WIRE_VERSION:
        raise StoreError(
            f"the store's owner speaks version {wire.WIRE_VERSION}, not {spoken!r}: restart it"
        )
    match header["verb"]:
        case "names":
            return {"names": stores.names()}, wire.NO_VECTORS
        case "drop":
            stores.drop(header["collection"])
            return {}, wire.NO_VECTORS
        case "open":
            stores.open(header["collection"], create=header["create"] is True)
            return {}, wire.NO_VECTORS
        case verb:
            return _answer_of(stores.store(header["collection"]), verb, header, vectors)


def _answer_of(
    store: EdgeStore, verb: str, header: dict[str, Any], vectors: Embeddings
) -> wire.Message:
    answer: dict[str, Any] = {}
    match verb:
        case "upsert":
            store.upsert(wire.unpack_records(header["records"]), vectors)
        case "set_labels":
            store.set_labels([(point_id, tuple(held)) for point_id, held in header["labels"]])
        case "delete":
            store.delete(header["ids"])
        case "delete_root":
            store.delete_root(header["root"])
        case "search":
            answer = {"hits": _search(store, header, vectors)}
        case "get":
            found = store.get(header["ids"], with_vectors=header["with_vectors"])
            return wire.pack_images(found.values())
        case "page":
            images, following = store.page(
                header["after"], header["limit"], with_vectors=header["with_vectors"]
            )
            answer, rows = wire.pack_images(images)
            return answer | {"next": following}, rows
        case "id_page":
            ids, following = store.id_page(header["after"], header["limit"])
            answer = {"ids": ids, "next": following}
        case "count":
            where = wire.unpack_where(header["where"])
            answer = {"count": store.count(header["cluster"], where)}
        case "facet":
            if header["field"] not in get_args(Indexed):
                raise ValueError(f"field {header['field']!r} has no index")
            answer = {"counts": store.facet(header["field"])}
        case "flush":
            store.flush()
        case "tidy":
            store.tidy()
        case _:
            raise ValueError(f"unknown verb {verb!r}")
    return answer, wire.NO_VECTORS


def _search(store: EdgeStore, header: dict[str, Any], vectors: Embeddings) -> list[list[Hit]]:
    probes = [
        Probe(vector, cluster, limit, wire.unpack_where(where), exact is True)
        for vector, (cluster, limit, where, exact) in zip(vectors, header["probes"], strict=True)
    ]
    return store.hits(probes, with_payloads=bool(header["with_records"]))
