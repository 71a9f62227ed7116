"""The gRPC face, over qdrant-client's own service definitions. All its calls fail with gRPC's
statuses where the REST face fails with HTTP's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from tests.qdrant.answering import Answering
from tests.qdrant.asking import Asked, Reply
from tests.qdrant.grpc_replies import answered
from tests.qdrant.grpc_requests import ASKED, Translation

THREADS = 16
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    # Not looked up in the server; gRPC's own documentation names this code for a full disk.
    507: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def grpc_server(
    host: str,
    port: int,
    answering: Answering,
    *,
    at_once: Mapping[str, Callable[[bytes], Message]],
    certificate: tuple[Path, Path] | None = None,
) -> grpc.Server:
    """A started server. Raises `RuntimeError` when the port is taken.

    `at_once`: methods, as *service/name*, that are answered from the bytes of their message.
    `certificate`: the files of a certificate and its key, for TLS.
    """
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    for service, methods in ASKED.items():
        handlers = {
            name: _handler(f"{service}/{name}", message, translation, answering, at_once)
            for name, (message, translation) in methods.items()
        }
        generic = grpc.method_handlers_generic_handler(service, handlers)
        server.add_generic_rpc_handlers((generic,))
    if certificate is not None:
        chain, key = (file.read_bytes() for file in certificate)
        secrets = grpc.ssl_server_credentials([(key, chain)])
        server.add_secure_port(f"{host}:{port}", secrets)
    else:
        server.add_insecure_port(f"{host}:{port}")
    server.start()
    return server


class _Method:
    """One method of one service."""

    def __init__(self, name: str, translation: Translation, answering: Answering) -> None:
        self._name = name
        self._translation = translation
        self._answering = answering

    def __call__(self, message: Any, context: grpc.ServicerContext) -> Message:
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        try:
            method, path, query, body = self._translation(message)
        except (ValueError, IndexError) as error:
            reply = self._answering.broken("GRPC", self._name, str(error))
        else:
            reply = self._answering.answer(Asked(method, path, query, body, headers))
        if reply.status != 200 or reply.cut is not None:
            _abort(context, reply)
        return answered(self._name, reply.result)


def _handler(
    name: str,
    message: Any,
    translation: Translation,
    answering: Answering,
    at_once: Mapping[str, Callable[[bytes], Message]],
) -> grpc.RpcMethodHandler:
    if name in at_once:
        answer, read = (lambda data, _: at_once[name](data)), None
    else:
        answer, read = _Method(name, translation, answering), message.FromString
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=read,
        response_serializer=lambda reply: reply.SerializeToString(),
    )


def _abort(context: grpc.ServicerContext, reply: Reply) -> None:
    if reply.cut is not None:
        # One call cannot end the connection; this is what its client sees when it ends.
        context.abort(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")
    context.set_trailing_metadata(tuple(reply.headers.items()))
    code = CODES.get(reply.status, grpc.StatusCode.INTERNAL)
    context.abort(code, reply.error or "no such route")
