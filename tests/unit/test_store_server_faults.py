"""What qdrant-client raises, as our errors."""

from __future__ import annotations

import json

import grpc
import httpx
import pytest
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from shared.errors import (
    DiskFull,
    LookalikeError,
    StoreAway,
    StoreError,
    StoreMissing,
    StoreRefused,
)
from shared.store.server.faults import AlreadyThere, Retry, understood

URL = "http://node:6333"


class GrpcFailed(grpc.RpcError):
    """What a channel raises."""

    def __init__(self, code: grpc.StatusCode, details: str | None) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._details


def answered(status: int, words: str | None = "what the server says") -> UnexpectedResponse:
    """What a status raises; without words, the body is a page of somebody else's."""
    body = b"<html>" if words is None else json.dumps({"status": {"error": words}}).encode()
    return UnexpectedResponse(status, "Reason", body, httpx.Headers())


@pytest.mark.parametrize(
    ("status", "kind", "retry"),
    [
        (400, StoreError, Retry.NEVER),
        (401, StoreRefused, Retry.NEVER),
        (403, StoreRefused, Retry.NEVER),
        (404, StoreMissing, Retry.NEVER),
        (408, StoreAway, Retry.LATER),
        (409, StoreError, Retry.NEVER),
        (413, StoreError, Retry.NEVER),
        (422, StoreError, Retry.NEVER),
        (429, StoreAway, Retry.LATER),
        (500, StoreAway, Retry.LATER),
        (502, StoreAway, Retry.ELSEWHERE),
        (503, StoreAway, Retry.LATER),
        (504, StoreAway, Retry.ELSEWHERE),
        (507, DiskFull, Retry.SELDOM),
    ],
)
def test_each_status(status: int, kind: type[LookalikeError], retry: Retry) -> None:
    fault = understood(answered(status), URL)
    assert (type(fault.error), fault.retry) == (kind, retry)
    assert URL in str(fault.error)
    assert "what the server says" in str(fault.error)
    assert "\n" not in str(fault.error)


CODES = {
    grpc.StatusCode.UNAVAILABLE: (StoreAway, Retry.ELSEWHERE),
    grpc.StatusCode.DEADLINE_EXCEEDED: (StoreAway, Retry.ELSEWHERE),
    grpc.StatusCode.UNAUTHENTICATED: (StoreRefused, Retry.NEVER),
    grpc.StatusCode.PERMISSION_DENIED: (StoreRefused, Retry.NEVER),
    grpc.StatusCode.NOT_FOUND: (StoreMissing, Retry.NEVER),
    grpc.StatusCode.INVALID_ARGUMENT: (StoreError, Retry.NEVER),
    grpc.StatusCode.FAILED_PRECONDITION: (StoreError, Retry.NEVER),
    grpc.StatusCode.ALREADY_EXISTS: (StoreError, Retry.NEVER),
    grpc.StatusCode.OUT_OF_RANGE: (StoreError, Retry.NEVER),
    grpc.StatusCode.UNIMPLEMENTED: (StoreError, Retry.NEVER),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (StoreAway, Retry.LATER),
    grpc.StatusCode.INTERNAL: (StoreAway, Retry.LATER),
    grpc.StatusCode.ABORTED: (StoreAway, Retry.LATER),
    grpc.StatusCode.UNKNOWN: (StoreAway, Retry.LATER),
    grpc.StatusCode.CANCELLED: (StoreAway, Retry.LATER),
    grpc.StatusCode.DATA_LOSS: (StoreAway, Retry.LATER),
}


def test_all_codes_of_grpc_are_here() -> None:
    assert set(CODES) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize("code", CODES)
def test_each_code_of_grpc(code: grpc.StatusCode) -> None:
    fault = understood(GrpcFailed(code, "what the server says\nand more"), URL)
    assert (type(fault.error), fault.retry) == CODES[code]
    assert f"qdrant at {URL}" in str(fault.error)
    assert "what the server says" in str(fault.error)
    assert "\n" not in str(fault.error)
    assert code.name in str(understood(GrpcFailed(code, None), URL).error)


@pytest.mark.parametrize(
    "error",
    [
        answered(500, "Service internal error: No space left on device (os error 28)"),
        answered(500, "WAL buffer size exceeds available disk space"),
        answered(400, "No space left on device"),
        GrpcFailed(grpc.StatusCode.RESOURCE_EXHAUSTED, "No space left on device"),
        GrpcFailed(grpc.StatusCode.INTERNAL, "no space left on device"),
    ],
)
def test_a_full_disk_however_it_is_said(error: Exception) -> None:
    fault = understood(error, URL)
    assert (type(fault.error), fault.retry) == (DiskFull, Retry.SELDOM)


@pytest.mark.parametrize(
    "error",
    [
        answered(409, "Wrong input: Collection `c` already exists!"),
        answered(400, "Wrong input: Collection `c` already exists!"),
        GrpcFailed(grpc.StatusCode.ALREADY_EXISTS, "Collection `c` already exists!"),
        GrpcFailed(grpc.StatusCode.INVALID_ARGUMENT, "Collection `c` already exists!"),
    ],
)
def test_what_is_there_already(error: Exception) -> None:
    assert type(understood(error, URL).error) is AlreadyThere


def test_how_long_a_server_asks_to_be_left_alone() -> None:
    fault = understood(ResourceExhaustedResponse("Write rate limit exceeded", 7), URL)
    assert (fault.seconds, fault.retry) == (7.0, Retry.LATER)
    assert isinstance(fault.error, StoreAway)
    assert fault.error.seconds == 7.0
    assert "Write rate limit exceeded" in str(fault.error)
    other = understood(QdrantException("Retry-After header value is not a valid integer"), URL)
    assert (type(other.error), other.retry, other.seconds) == (StoreAway, Retry.LATER, None)


@pytest.mark.parametrize(
    "source",
    [
        httpx.ConnectError("Connection refused"),
        httpx.ReadTimeout(""),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.ReadError("Connection reset by peer"),
    ],
)
def test_a_node_that_does_not_answer(source: httpx.HTTPError) -> None:
    fault = understood(ResponseHandlingException(source), URL)
    assert (type(fault.error), fault.retry) == (StoreAway, Retry.ELSEWHERE)
    assert (str(source) or "ReadTimeout") in str(fault.error)


@pytest.mark.parametrize(
    "error",
    [
        ResponseHandlingException(
            httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
        ),
        GrpcFailed(
            grpc.StatusCode.UNAVAILABLE, f"failed to connect{' ' * 200}: CERTIFICATE_VERIFY_FAILED"
        ),
    ],
)
def test_a_certificate_that_is_not_trusted(error: Exception) -> None:
    fault = understood(error, URL)
    assert (type(fault.error), fault.retry) == (StoreRefused, Retry.NEVER)
    assert "qdrant_ca_file" in str(fault.error)


@pytest.mark.parametrize(
    "error",
    [
        answered(404, None),
        json.JSONDecodeError("Expecting value", "<html>", 0),
        ResponseHandlingException(ValueError("2 validation errors\nfor it")),
        AssertionError(),
    ],
)
def test_an_address_where_no_qdrant_is(error: Exception) -> None:
    fault = understood(error, URL)
    assert (type(fault.error), fault.retry) == (StoreRefused, Retry.NEVER)
    assert "does not answer as Qdrant" in str(fault.error)
    assert "qdrant_url" in str(fault.error)
    assert "\n" not in str(fault.error)


def test_a_refused_key_names_the_settings() -> None:
    said = str(understood(answered(401, None), URL).error)
    assert said == (
        f"qdrant at {URL} refuses (401 Reason): "
        "set qdrant_api_key or qdrant_api_key_file to a key that may do this"
    )


def test_anything_else_is_a_failure_of_the_store() -> None:
    closed = RuntimeError("Cannot send a request, as the client has been closed.")
    for error in (closed, ResponseHandlingException(closed)):
        fault = understood(error, URL)
        assert (type(fault.error), fault.retry) == (StoreError, Retry.NEVER)
        assert str(closed) in str(fault.error)
