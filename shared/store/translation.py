"""The embedded engine's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import DiskFull, LookalikeError, StoreBusy, StoreError

_FULL = "No space left on device"


@contextmanager
def translated(path: Path, *, remedy: str = "see `indexer doctor`") -> Iterator[None]:
    """Turn what the engine raises over the collection in `path` into our errors, cause kept."""
    try:
        yield
    except LookalikeError:
        raise
    except BaseException as error:
        # A panic of the engine is a BaseException without a type that could be imported.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if _FULL in str(error):
            raise DiskFull(f"store {path}: {_FULL}: make room, nothing was lost") from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if "WouldBlock" in reason:
            raise StoreBusy(
                f"store {path} is held by another process: stop it or wait, then try again"
            ) from error
        raise StoreError(f"store {path} failed: {reason}: {remedy}") from error
