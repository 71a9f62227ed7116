"""The embedded engine's errors as ours."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from shared.errors import DiskFull, LookalikeError, StoreBusy, StoreError

_FULL = "No space left on device"


class Translated:
    """Turns what the engine raises over the collection in `path` into our errors, cause kept.

    A class, because every search enters it: a generator would take several times as long.
    """

    __slots__ = ("_path", "_remedy")

    def __init__(self, path: Path, *, remedy: str = "see `indexer doctor`") -> None:
        self._path = path
        self._remedy = remedy

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, LookalikeError):
            return
        # A panic of the engine is a BaseException without a type that could be imported.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            return
        raise _ours(error, self._path, self._remedy) from error


def _ours(error: BaseException, path: Path, remedy: str) -> LookalikeError:
    if _FULL in str(error):
        return DiskFull(f"store {path}: {_FULL}: make room, nothing was lost")
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if "WouldBlock" in reason:
        return StoreBusy(
            f"store {path} is held by another process: stop it or wait, then try again"
        )
    return StoreError(f"store {path} failed: {reason}: {remedy}")
