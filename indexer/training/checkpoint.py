"""What a killed training goes on from: the whole state of a fit after its last finished epoch.

    models/checkpoints/FINGERPRINT.npz
      header          uint8: JSON of the format version, the fingerprint, the epoch, the histories
      model/0 ...     every variable of the model, with batch statistics and the seeds of layers
      optimizer/0 ... every variable of the optimizer, its step among them
      best/0 ...      the weights of the best epoch so far
    and, as the archive's comment, the SHA-256 of every byte before it

The fingerprint hashes all that the fit depends on, so that only the very same training finds it.
Nothing is pickled, and nothing is parsed before its checksum is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import platform
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.files import write_atomically
from shared.types import Progress

FORMAT_VERSION = 1

Weights = list[NDArray[Any]]

_HEADER = "header"
_DIGEST_BYTES = 64
_LIBRARIES = ("keras", "lookalike", "numpy", "pillow", "tensorflow")

_DAY_SECONDS = 86_400.0
_KEPT_SECONDS = 30 * _DAY_SECONDS


class Checkpoints:
    """The checkpoints of one training, one for each of its fits.

    `training`: all that the fits depend on, as JSON values; the versions of libraries are added.
    `fresh`: begin anew even where a killed training could go on.
    """

    def __init__(
        self,
        folder: Path,
        training: Mapping[str, Any],
        progress: Progress,
        *,
        fresh: bool = False,
    ) -> None:
        self._folder, self._progress, self._fresh = folder, progress, fresh
        self._training = dict(training) | {
            "libraries": {name: version(name) for name in _LIBRARIES}
            | {"python": platform.python_version()}
        }
        self._given: list[Checkpoint] = []

    def of(self, model: Any, about: Mapping[str, Any] | None = None) -> Checkpoint:
        """The checkpoint of one fit of a built Keras model.

        `about`: JSON values that the training does not say already, such as what the targets are,
        or which of its fits this is.
        """
        network = [
            [variable.path, list(variable.shape), str(variable.dtype)]
            for variable in model.variables
        ]
        value = {"training": self._training, "fit": dict(about or {}), "network": network}
        digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
        checkpoint = Checkpoint(self._folder / f"{digest}.npz", digest, self._progress)
        if self._fresh:
            checkpoint.remove()
        self._given.append(checkpoint)
        return checkpoint

    def remove(self) -> None:
        """The training is over: nothing has to go on from here."""
        for checkpoint in self._given:
            checkpoint.remove()

    def sweep(self) -> None:
        """Remove what no training came back for in 30 days, and after one day what is half written.

        Leaves alone what it may not remove.
        """
        now = time.time()
        for pattern, seconds in (("*.npz", _KEPT_SECONDS), (".*.npz-*", _DAY_SECONDS)):
            with contextlib.suppress(OSError):
                for left in self._folder.glob(pattern):
                    if now - left.stat().st_mtime > seconds:
                        left.unlink()


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a checkpoint tells besides the variables. `epoch`: how many are finished; `history` has
    as many entries for each thing logged; `best`: the weights of the best of them."""

    epoch: int
    history: Mapping[str, Sequence[float]]
    best: Weights


class Checkpoint:
    """The state of one fit, at `path`. `fingerprint` says which fit it is."""

    def __init__(self, path: Path, fingerprint: str, progress: Progress) -> None:
        self.path, self.fingerprint = path, fingerprint
        self._progress = progress
        self._unwritable = False

    def save(self, model: Any, history: Mapping[str, Sequence[float]], best: Weights) -> None:
        """Replace the file by the state of a compiled model; complete or unchanged, and durable.

        Where that fails one warning is said, and nothing is tried again.
        """
        if self._unwritable:
            return
        header = {
            "format": FORMAT_VERSION,
            "fingerprint": self.fingerprint,
            "epoch": min(map(len, history.values())),
            "history": {name: list(values) for name, values in history.items()},
        }
        try:
            write_atomically(self.path, _packed(header, _state(model) | {"best": best}))
        except OSError as error:
            self._unwritable = True
            self._progress.say(
                f"warning: checkpoint {self.path} cannot be written: {error.strerror or error}: "
                "training goes on without, and cannot be resumed if it is killed"
            )

    def resume(self, model: Any) -> Resumed | None:
        """Set every variable of a compiled model, its optimizer built, to the state of the file.

        None, and nothing is set, where there is none or none that can be used; then one line says
        why.
        """
        try:
            header, arrays = _unpacked(self.path.read_bytes())
            self._check(header, arrays, model)
            history = {name: tuple(values) for name, values in header["history"].items()}
            resumed = Resumed(int(header["epoch"]), history, arrays["best"])
        except FileNotFoundError:
            return None
        except _UNREADABLE as error:
            reason = getattr(error, "strerror", None) or error
            self._progress.say(f"checkpoint {self.path} is ignored, training begins anew: {reason}")
            return None
        for group, variables in _variables(model).items():
            for variable, array in zip(variables, arrays[group], strict=True):
                variable.assign(array)
        return resumed

    def remove(self) -> None:
        """Remove the file, if it is there and may be removed."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _check(self, header: Mapping[str, Any], arrays: Mapping[str, Weights], model: Any) -> None:
        """Raise ValueError with the reason why this is not a state of the model's."""
        if header["format"] != FORMAT_VERSION:
            raise ValueError(
                f"it has format {header['format']!r}, this program reads {FORMAT_VERSION}"
            )
        if header["fingerprint"] != self.fingerprint:
            raise ValueError("it belongs to another training")
        for group, variables in (_variables(model) | {"best": model.weights}).items():
            wanted = [(tuple(variable.shape), str(variable.dtype)) for variable in variables]
            if [(array.shape, str(array.dtype)) for array in arrays[group]] != wanted:
                raise ValueError("it belongs to another network")


_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile)
"""What NumPy, JSON and a header of the wrong shape raise on a file that is not a checkpoint."""


def _variables(model: Any) -> dict[str, Sequence[Any]]:
    return {"model": model.variables, "optimizer": model.optimizer.variables}


def _state(model: Any) -> dict[str, Weights]:
    return {
        group: [variable.numpy() for variable in variables]
        for group, variables in _variables(model).items()
    }


def _packed(header: Mapping[str, Any], groups: Mapping[str, Weights]) -> bytes:
    arrays: dict[str, Any] = {
        f"{group}/{number}": array
        for group, members in groups.items()
        for number, array in enumerate(members)
    }
    arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"0" * _DIGEST_BYTES  # the end of the file, which the digest replaces
    with buffer.getbuffer() as data:
        data[-_DIGEST_BYTES:] = hashlib.sha256(data[:-_DIGEST_BYTES]).hexdigest().encode()
    return buffer.getvalue()


def _unpacked(data: bytes) -> tuple[Mapping[str, Any], Mapping[str, Weights]]:
    """Header and arrays by group. Raises one of `_UNREADABLE`."""
    content = memoryview(data)[:-_DIGEST_BYTES]
    if hashlib.sha256(content).hexdigest().encode() != data[-_DIGEST_BYTES:]:
        raise ValueError("its checksum is wrong, so it is damaged or no checkpoint")
    groups: dict[str, Weights] = {"model": [], "optimizer": [], "best": []}
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        header: Mapping[str, Any] = json.loads(stored[_HEADER].tobytes())
        for name in stored.files:  # in the order in which they were written
            if name != _HEADER:
                groups[name.partition("/")[0]].append(stored[name])
    return header, groups
