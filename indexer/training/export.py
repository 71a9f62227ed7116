"""From a fitted autoencoder to files: the encoder as LiteRT, the whole as Keras, and back."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.autoencoder import LATENT, encoder_part, takes_bytes
from indexer.training.projection import NUDGE
from indexer.training.runtime import keras, quiet, tensorflow
from shared.errors import TrainingError
from shared.types import EMBEDDING_SIZE

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def complete_encoder(autoencoder: Any, centre: NDArray[np.float32]) -> Any:
    """The graph that is exported: uint8-valued float32 (n, size, size, 3) in [0, 255] to unit rows.

    Rescales to [0, 1] unless the autoencoder does so itself, encodes, subtracts `centre`
    (float32 (512,), the mean latent) and divides by the L2 length: K-Means is Euclidean, the search
    is cosine, and on unit rows they agree.
    """
    offset = -np.asarray(centre, dtype=np.float32)
    offset[0] += NUDGE
    pixels = keras.Input(autoencoder.input_shape[1:], name="pixels")
    scaled = pixels if takes_bytes(autoencoder) else keras.layers.Rescaling(1 / 255)(pixels)
    latent = encoder_part(autoencoder)(scaled)
    centred = keras.layers.Rescaling(1.0, offset=offset.tolist(), name="centred")(latent)
    return keras.Model(pixels, keras.layers.UnitNormalization(name="unit")(centred))


def export_litert(encoder: Any, path: Path, *, quantize: bool = True) -> None:
    """Write the graph of `complete_encoder` as a LiteRT file that takes any batch size.

    With `quantize` weights are stored as int8 and computed with in int8 where LiteRT can (dynamic
    range), else they stay float32.
    """
    with quiet():
        encoder.export(
            str(path),
            format="litert",
            verbose=False,
            optimizations=[tensorflow.lite.Optimize.DEFAULT] if quantize else [],
            target_spec={"supported_ops": [tensorflow.lite.OpsSet.TFLITE_BUILTINS]},
        )


def save_keras(autoencoder: Any, path: Path) -> None:
    """Write the autoencoder as `.keras` or `.h5`, without the optimizer's state, which would treble
    it; the same weights give the same bytes."""
    plain = keras.models.clone_model(autoencoder)
    plain.set_weights(autoencoder.get_weights())
    with quiet():
        plain.save(path)
    if path.suffix == ".keras":
        _without_dates(path)


def _without_dates(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in sorted(archive.namelist())}
    about = json.loads(files["metadata.json"])
    about.pop("date_saved", None)
    files["metadata.json"] = json.dumps(about).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), data)


def load_autoencoder(path: Path) -> Any:
    """An autoencoder saved as `.keras` or `.h5`, whoever made it; no code in it is run.

    Raises `TrainingError` unless it takes square RGB pictures and has a layer named ``latent`` of
    512 units.
    """
    try:
        with quiet():
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything on files that are not models
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"model {path} cannot be loaded: {reason}: give a .keras or .h5 file saved by Keras"
        ) from error
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise TrainingError(f"model {path} takes {shape}, expected square pictures (n, s, s, 3)")
    latent = next((layer for layer in model.layers if layer.name == LATENT), None)
    if latent is None:
        names = ", ".join(layer.name for layer in model.layers)
        raise TrainingError(f"model {path} has no layer named {LATENT!r}; it has {names}")
    if latent.output.shape[1:] != (EMBEDDING_SIZE,):
        raise TrainingError(
            f"model {path}: layer {LATENT!r} gives {tuple(latent.output.shape[1:])}, "
            f"expected ({EMBEDDING_SIZE},)"
        )
    return model
