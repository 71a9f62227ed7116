"""Going on from the encoder that ships."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from indexer.starter import BUNDLE, WEIGHTS_FILE
from shared.models import read_bundle


def load_starter(autoencoder: Any) -> str | None:
    """Give a Keras autoencoder the starter's weights; the starter's id, or None and nothing changed
    where the network has another shape or the package holds no starter.

    Raises `ModelError` if the package's own files are damaged.
    """
    if not BUNDLE.exists():
        return None
    bundle = read_bundle(BUNDLE)
    with np.load(io.BytesIO(bundle.read(WEIGHTS_FILE)), allow_pickle=False) as file:
        weights = [file[str(number)].astype(np.float32) for number in range(len(file.files))]
    if [one.shape for one in weights] != [one.shape for one in autoencoder.get_weights()]:
        return None
    autoencoder.set_weights(weights)
    return bundle.id
