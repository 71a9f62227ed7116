"""EfficientNet without its head: the network of `keras.applications`, with ImageNet's weights or
those of a file."""

from __future__ import annotations

import contextlib
import io
import socket
import textwrap
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

from indexer.training.configs import EfficientNetConfig
from indexer.training.runtime import keras, quiet
from shared.errors import TrainingError

_SILENCE_SECONDS = 30.0
"""How long the server that has the weights may say nothing."""

_IMAGENET_DEVIATIONS = (0.229, 0.224, 0.225)
"""Of red, green and blue in ImageNet, on a scale from 0 to 1."""

_HEAD = "predictions"

_REASON_CHARACTERS = 160


def build_backbone(config: EfficientNetConfig) -> Any:
    """The Keras model from uint8-valued float32 (n, edge, edge, 3) in [0, 255] to features, float32
    (n, d): means over the picture of what the last convolution sees.

    It scales pixels itself. Weights are only read, never code. Without a file Keras fetches
    ImageNet's once, into its own folder below the user's. Raises `TrainingError` with one line if
    they cannot be fetched, or the file is none, unreadable or another network's.
    """
    if config.weights is None:
        return _with_imagenet(config)
    if not config.weights.is_file():
        raise TrainingError(f"weights {config.weights}: there is no such file: check --weights")
    backbone = _built(config, None)
    _load(backbone, config.weights, config.variant)
    _correct_deviations(backbone)
    return backbone


def _built(config: EfficientNetConfig, weights: str | None) -> Any:
    network = getattr(keras.applications, f"EfficientNet{config.variant}")
    with quiet():
        return network(
            include_top=False,
            weights=weights,
            pooling="avg",
            input_shape=(config.edge, config.edge, 3),
        )


def _with_imagenet(config: EfficientNetConfig) -> Any:
    try:
        # Keras shows a download on standard output, which is for results.
        with contextlib.redirect_stdout(io.StringIO()), _impatient():
            return _built(config, "imagenet")
    except Exception as error:  # Keras raises a bare Exception without a network
        raise TrainingError(
            f"ImageNet weights of EfficientNet-{config.variant} cannot be fetched: "
            f"{_reason(error)}: connect to the network, or give a file with --weights"
        ) from error


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Give up on a silent server; by default Python waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load(backbone: Any, path: Path, variant: str) -> None:
    """Set the backbone's weights to those of a file, with or without a head, whole model or not."""
    try:
        suffix, classes = _form(path)
    except Exception as error:  # h5py and zipfile raise anything on files that are not theirs
        raise TrainingError(
            f"weights {path} cannot be read: {_reason(error)}: "
            "give a .keras, .h5 or .weights.h5 file saved by Keras"
        ) from error
    target = backbone
    if classes is not None:
        target = keras.Model(backbone.input, keras.layers.Dense(classes)(backbone.output))
    try:
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a file that does not fit raises, too
            named = Path(folder, f"model{suffix}")  # Keras goes by the name, we by the content
            named.symlink_to(path.resolve())
            target.load_weights(named)
    except Exception as error:
        raise TrainingError(
            f"weights {path} are not those of an EfficientNet-{variant}: {_reason(error)}: "
            "give the file's own --variant, or another file"
        ) from error


def _form(path: Path) -> tuple[str, int | None]:
    """The suffix by which Keras knows the file's form, and how many classes the head has, if there
    is one and the form is the old one, which wants a network of as many layers."""
    if zipfile.is_zipfile(path):
        return ".keras", None
    with h5py.File(path, "r") as file:
        group = file.get("model_weights", file)
        if "layer_names" not in group.attrs:
            return ".weights.h5", None
        return ".h5", _classes(group[_HEAD]) if _HEAD in group else None


def _classes(head: Any) -> int:
    sizes: list[int] = []
    head.visititems(
        lambda _, item: sizes.append(item.shape[-1]) if isinstance(item, h5py.Dataset) else None
    )
    return max(sizes)  # the kernel is (d, classes), the bias (classes,)


def _correct_deviations(backbone: Any) -> None:
    """Make variances of what Keras' own ImageNet files give as variances, the standard deviations.

    When Keras fetches such a file itself, it adds a layer that mends this
    (https://github.com/tensorflow/tensorflow/issues/49930); when it reads one, it does not.
    """
    layer = next(one for one in backbone.layers if isinstance(one, keras.layers.Normalization))
    mean, variance, count = layer.get_weights()
    if np.allclose(variance, _IMAGENET_DEVIATIONS, atol=1e-4):
        layer.set_weights([mean, np.square(variance), count])
        layer.finalize_state()


def _reason(error: Exception) -> str:
    """The error on one line and without its full stop; Keras goes on to list every layer."""
    told = textwrap.shorten(str(error), _REASON_CHARACTERS, placeholder=" …")
    return told.rstrip(".") or type(error).__name__
