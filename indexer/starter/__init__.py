"""The encoder that ships, so that nobody waits for a training to see a first result.

`bundle/` holds a whole encoder bundle, made by `python -m indexer.starter.make` from pictures with
permissive licences (`docs/encoder.md` names them), and the weights of its autoencoder in 16 bits,
from which a training on the user's own pictures goes on.
"""

from __future__ import annotations

from pathlib import Path

from shared.models import Bundle, Models

BUNDLE = Path(__file__).parent / "bundle"

WEIGHTS_FILE = "autoencoder.npz"
"""In the bundle: arrays ``"0"``, ``"1"``, ... in the order of the network's weights, float16."""

MIN_IMAGES = 2
"""Fewest pictures that clusters are fitted on; K-Means of one picture is that picture."""


def install(models: Models) -> Bundle:
    """The starter's bundle among a home's encoders, copied there if it is not yet.

    Raises `ModelError` if the package's own files are damaged.
    """
    return models.import_bundle(BUNDLE)
