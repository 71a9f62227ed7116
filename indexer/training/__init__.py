"""Fitting encoders and clusters; the only package that imports TensorFlow, Keras and scikit-learn.

Importing this package is cheap. `training.train` is the whole of a training, in the order of the
article: gather pictures, fit the autoencoder, export its encoder, fit K-Means on what it encodes.
Fitting clusters needs only the base installation, fitting an encoder the `train` extra, drawing
either the `figures` extra.
"""

from __future__ import annotations

from importlib.util import find_spec

from shared.errors import TrainingError

MIN_IMAGES = 50
"""Fewest readable pictures to train on. Below this the validation share is a handful of pictures
and the elbow has nothing to bend on."""

FIGURES_SKIPPED = "figures skipped: matplotlib is not installed: pip install 'lookalike[figures]'"

_TRAIN = ("tensorflow", "keras", "h5py")


def require_tensorflow() -> None:
    """Raise `TrainingError` unless what fits an encoder is installed; imports none of it."""
    missing = [name for name in _TRAIN if find_spec(name) is None]
    if missing:
        raise TrainingError(
            "fitting an encoder needs TensorFlow and Keras "
            f"(not found: {', '.join(missing)}): pip install 'lookalike[train]'"
        )


def can_draw() -> bool:
    """Return whether matplotlib is installed, without importing it."""
    return find_spec("matplotlib") is not None
