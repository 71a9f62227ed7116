"""TensorFlow and Keras, imported once and quietly; the rest of the room takes them from here.

Their native code writes to file descriptor 2 while it loads and converts, where a progress display
may be drawing. What it says is kept back, and shown only if it fails.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep native chatter and Keras' logged remarks off the terminal; replay it on an error."""
    remarks = logging.getLogger("absl")
    level = remarks.level
    remarks.setLevel(logging.ERROR)
    sys.stderr.flush()
    kept_aside = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except Exception:
            chatter.seek(0)
            os.write(kept_aside, chatter.read())
            raise
        finally:
            os.dup2(kept_aside, 2)
            os.close(kept_aside)
            remarks.setLevel(level)


with quiet():
    import keras
    import tensorflow

__all__ = ["keras", "make_repeatable", "quiet", "tensorflow"]


def make_repeatable(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and let TensorFlow use only deterministic operations.

    Layers are numbered afresh, since their names are part of saved models. This changes the whole
    process, which is why fitting runs in a process of its own.
    """
    _keep_memory()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT_BYTES = 2**31 - 1


def _keep_memory() -> None:
    """Let the C library keep freed memory for the next step instead of handing it back.

    A training frees and asks for the same large arrays at every step; giving their pages back and
    clearing new ones took two fifths of its time. Only glibc has this; elsewhere nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
