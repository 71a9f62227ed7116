"""Fitting encoders and clusters; the only room that knows TensorFlow, Keras and scikit-learn.

Importing this package is cheap. `training.train` is the whole of a training, in the order of the
article: gather pictures, fit the autoencoder, export its encoder, fit K-Means on what it encodes.
"""

from __future__ import annotations

from importlib.util import find_spec

from shared.errors import TrainingError

MIN_IMAGES = 50
"""Fewest readable pictures to train on. Below this the validation share is a handful of pictures
and the elbow has nothing to bend on."""

_EXTRA = ("tensorflow", "keras", "sklearn", "kneed", "matplotlib")


def require_extra() -> None:
    """Raise `TrainingError` unless the `train` extra is installed; imports none of it."""
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise TrainingError(
            "training needs TensorFlow, scikit-learn, kneed and matplotlib "
            f"(not found: {', '.join(missing)}): pip install 'lookalike[train]'"
        )
