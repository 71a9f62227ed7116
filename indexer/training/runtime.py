"""TensorFlow and Keras, imported once and quietly; the rest of the room takes them from here.

Their native code writes to file descriptor 2 while it loads and converts, where a progress display
may be drawing. What it says is kept back, and shown only if it fails.
"""

from __future__ import annotations

import contextlib
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
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
