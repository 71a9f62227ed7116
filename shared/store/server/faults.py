"""What goes wrong between us and a server, as our errors, and whether to ask again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

import grpc
import httpx
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

MOST_OF_A_LINE = 200
"""Letters of the server's own words that a message repeats."""


class Retry(Enum):
    """What to do about a fault. ELSEWHERE: the node does not answer, another may. LATER: it
    answers, but not now. SELDOM: waiting seldom helps. NEVER: it will say the same again."""

    ELSEWHERE = auto()
    LATER = auto()
    SELDOM = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """Our error for one failed request; `seconds`: how long the server asked to be left alone."""

    error: LookalikeError
    retry: Retry
    seconds: float | None = None


class AlreadyThere(StoreError):
    """What was to be made is there: someone else made it, or we did and were not told."""


def understood(error: Exception, url: str) -> Fault:
    """The fault behind what qdrant-client raised over the node `url`; the key is never in it."""
    if isinstance(error, ResourceExhaustedResponse):
        return _later(url, str(error), max(0.0, float(error.retry_after_s)))
    if isinstance(error, UnexpectedResponse):
        return _of_status(error, url)
    if isinstance(error, grpc.RpcError):
        return _of_code(error, url)
    if isinstance(error, ResponseHandlingException) and isinstance(error.source, httpx.HTTPError):
        return _of_connection(error.source, url)
    if isinstance(error, QdrantException):  # asks to be left alone, but not for how many seconds
        return _later(url, str(error))
    source = getattr(error, "source", error)
    words = _line(str(source) or type(source).__name__)
    if not isinstance(source, ValueError | AssertionError):
        return _wrong(url, words)
    return Fault(
        StoreRefused(f"{url} does not answer as Qdrant ({words}): see that qdrant_url is right"),
        Retry.NEVER,
    )


def _of_connection(error: httpx.HTTPError, url: str) -> Fault:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _distrusted(url)
    # Qdrant's own time-outs say what was too slow; ours have no words.
    return _away(url, str(error) or type(error).__name__)


def _of_status(error: UnexpectedResponse, url: str) -> Fault:
    said = _said(error)
    if said is None and error.status_code == HTTPStatus.NOT_FOUND:
        refused = f"{url} does not answer as Qdrant (404): see that qdrant_url is right"
        return Fault(StoreRefused(refused), Retry.NEVER)
    words = said or f"{error.status_code} {error.reason_phrase}".strip()
    match error.status_code:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return _locked(url, words)
        case HTTPStatus.NOT_FOUND:
            return _missing(url, words)
        case HTTPStatus.INSUFFICIENT_STORAGE:
            return _full(url, words)
        case HTTPStatus.BAD_GATEWAY | HTTPStatus.GATEWAY_TIMEOUT:  # a balancer says it is away
            return _away(url, words)
        case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_MANY_REQUESTS:
            return _later(url, words)
        case status if status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _later(url, words)
    return _wrong(url, words)


def _of_code(error: grpc.RpcError, url: str) -> Fault:
    details = str(error.details() or error.code().name)
    if "CERTIFICATE_VERIFY_FAILED" in details:  # far behind in a long line
        return _distrusted(url)
    words = _line(details)
    return _BY_CODE.get(error.code(), _later)(url, words)


def _said(error: UnexpectedResponse) -> str | None:
    """The server's own words; None if they are not said as Qdrant says them."""
    try:
        said = json.loads(error.content)["status"]["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return _line(str(said))


def _line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:MOST_OF_A_LINE]


def _away(url: str, words: str) -> Fault:
    remedy = "see that it runs and that qdrant_url is right"
    error = StoreAway(f"qdrant at {url} does not answer ({_line(words)}): {remedy}")
    return Fault(error, Retry.ELSEWHERE)


def _later(url: str, words: str, seconds: float | None = None) -> Fault:
    if _tells_of_a_full_disk(words):
        return _full(url, words)
    error = StoreAway(f"qdrant at {url} cannot now ({_line(words)}): try again later", seconds)
    return Fault(error, Retry.LATER, seconds)


def _full(url: str, words: str) -> Fault:
    error = DiskFull(f"qdrant at {url} has no room left ({words}): make room, nothing was lost")
    return Fault(error, Retry.SELDOM)


def _locked(url: str, words: str) -> Fault:
    remedy = "set qdrant_api_key or qdrant_api_key_file to a key that may do this"
    return Fault(StoreRefused(f"qdrant at {url} refuses ({words}): {remedy}"), Retry.NEVER)


def _distrusted(url: str) -> Fault:
    remedy = "set qdrant_ca_file to the certificate that signs it"
    return Fault(StoreRefused(f"certificate of {url} is not trusted: {remedy}"), Retry.NEVER)


def _missing(url: str, words: str) -> Fault:
    remedy = "run `indexer scan` to build it"
    return Fault(StoreMissing(f"qdrant at {url}: {words}: {remedy}"), Retry.NEVER)


def _wrong(url: str, words: str) -> Fault:
    if "already exists" in words:  # 409, in older versions 400
        return Fault(AlreadyThere(f"qdrant at {url}: {words}: use that"), Retry.NEVER)
    if _tells_of_a_full_disk(words):
        return _full(url, words)
    return Fault(StoreError(f"qdrant at {url} failed: {words}: see its log"), Retry.NEVER)


def _tells_of_a_full_disk(words: str) -> bool:
    return "no space left" in words.lower() or "disk space" in words.lower()


_BY_CODE: dict[grpc.StatusCode, Callable[[str, str], Fault]] = {
    grpc.StatusCode.UNAVAILABLE: _away,
    grpc.StatusCode.DEADLINE_EXCEEDED: _away,
    grpc.StatusCode.UNAUTHENTICATED: _locked,
    grpc.StatusCode.PERMISSION_DENIED: _locked,
    grpc.StatusCode.NOT_FOUND: _missing,
    grpc.StatusCode.INVALID_ARGUMENT: _wrong,
    grpc.StatusCode.FAILED_PRECONDITION: _wrong,
    grpc.StatusCode.ALREADY_EXISTS: _wrong,
    grpc.StatusCode.OUT_OF_RANGE: _wrong,
    grpc.StatusCode.UNIMPLEMENTED: _wrong,
}
"""Every other code is one that a server comes back from."""
