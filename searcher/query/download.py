"""Downloads a query image: http and https only, limited in size and in total time."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.parse
import urllib.request
from time import monotonic
from typing import IO

from shared.errors import QueryError

_CHUNK_BYTES = 64 * 1024


def fetch(url: str, *, max_bytes: int, timeout_seconds: float) -> bytes:
    """The body of an http(s) URL, redirects to http(s) followed.

    `timeout_seconds` is the time for everything, name lookup and every redirect included. Raises
    `QueryError` when the URL cannot be had in time, or has more than `max_bytes`.
    """
    download = _Download(url, max_bytes, timeout_seconds)
    # Socket timeouts start anew with every byte that trickles in, and name lookup knows none: only
    # a thread can be left behind. It is a daemon, so it never keeps the process.
    thread = threading.Thread(target=download.run, daemon=True, name="fetch")
    thread.start()
    thread.join(timeout_seconds)
    if download.error is not None:
        raise download.error
    if download.data is None:
        raise _too_slow(timeout_seconds)
    return download.data


class _Download:
    """One download; `data` or `error` is set when it has ended."""

    def __init__(self, url: str, max_bytes: int, timeout_seconds: float) -> None:
        self.url, self.max_bytes, self.timeout_seconds = url, max_bytes, timeout_seconds
        self.deadline = monotonic() + timeout_seconds
        self.data: bytes | None = None
        self.error: QueryError | None = None

    def run(self) -> None:
        """Download, turning whatever goes wrong into `error`."""
        try:
            self.data = self._read()
        except QueryError as error:
            self.error = error
        except urllib.error.HTTPError as error:
            error.close()
            self.error = QueryError(f"the server answers {error.code} {_one_line(error.reason)}")
        except TimeoutError:
            self.error = _too_slow(self.timeout_seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            self.error = (
                _too_slow(self.timeout_seconds)
                if isinstance(reason, TimeoutError)
                else QueryError(f"cannot be downloaded: {_one_line(reason)}")
            )

    def _read(self) -> bytes:
        request = urllib.request.Request(self.url, headers={"User-Agent": "lookalike"})  # noqa: S310 - schemes are limited by the opener
        with _opener().open(request, timeout=self.timeout_seconds) as response:
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and int(length) > self.max_bytes:
                raise self._too_large()
            chunks, size = [], 0
            while chunk := response.read1(_CHUNK_BYTES):
                size += len(chunk)
                if size > self.max_bytes:
                    raise self._too_large()
                if monotonic() > self.deadline:
                    raise TimeoutError
                chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> QueryError:
        return QueryError(
            f"has more than url_max_bytes={self.max_bytes} bytes: download it and ask with the file"
        )


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https; urllib alone would go on to ftp as well."""

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> IO[bytes] | None:
        """What answers the redirected request. Raises `QueryError` for another scheme."""
        target = headers.get("Location") or headers.get("URI") or ""
        scheme = urllib.parse.urlsplit(target).scheme.lower()
        if scheme not in ("", "http", "https"):
            fp.close()
            raise QueryError(f"redirects to {scheme}:, only http and https are followed")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """urllib without its handlers for files, ftp and data, and with the system's proxies."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _WebRedirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _too_slow(seconds: float) -> QueryError:
    return QueryError(
        f"was not downloaded within url_timeout_seconds={seconds:g}: "
        "try again or download it and ask with the file"
    )


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split()) or type(reason).__name__
