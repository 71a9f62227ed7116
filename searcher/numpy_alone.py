"""NumPy for a process that asks one question: on the calling thread alone."""

from __future__ import annotations

import os

_THREADS = "OPENBLAS_NUM_THREADS"


def load_numpy() -> None:
    """Load NumPy without the threads of its BLAS, unless the environment asks for some.

    One question multiplies nothing large, and starting a thread for every processor takes a tenth
    of the processor time of a cold query. The environment is left as it was.
    """
    if _THREADS in os.environ:
        return
    os.environ[_THREADS] = "1"  # read once, when the library is loaded
    try:
        import numpy  # noqa: F401 - loaded for those who import it later
    finally:
        del os.environ[_THREADS]
