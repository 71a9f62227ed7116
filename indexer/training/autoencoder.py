"""The convolutional autoencoder: squeeze the picture into 512 numbers, draw it again.

It begins as the best linear autoencoder, which is PCA (Baldi and Hornik, *Neural Networks and
Principal Component Analysis*, 1989), written as convolutions: blocks of 8 x 8 pixels to their
principal components, those of all blocks to 512. Beside each linear step runs a residual branch of
convolutions that begins at zero and learns what a linear map cannot say.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from indexer.training.configs import AutoencoderConfig
from indexer.training.dataset import scaled
from indexer.training.runtime import keras
from shared.types import EMBEDDING_SIZE, Pixels

LATENT = "latent"
"""Name of the dense layer whose 512 outputs are the latent."""

_BLOCKS, _UNFOLD, _DRAW_BLOCKS = "blocks", "unfold", "draw_blocks"


def build_autoencoder(config: AutoencoderConfig) -> Any:
    """A `keras.Model` from float32 (n, size, size, 3) in [0, 1] to the same. Not compiled."""
    layers, block = keras.layers, config.block
    picture = keras.Input((config.size, config.size, 3), name="picture")
    blocks = layers.Conv2D(config.components, block, strides=block, use_bias=False, name=_BLOCKS)(
        picture
    )
    blocks = layers.Add()([blocks, _look_closer(picture, config)])
    latent = layers.Dense(EMBEDDING_SIZE, name=LATENT)(layers.Flatten()(blocks))

    shape = blocks.shape[1:]
    blocks = layers.Reshape(shape)(layers.Dense(math.prod(shape), name=_UNFOLD)(latent))
    rough = layers.Conv2DTranspose(3, block, strides=block, use_bias=False, name=_DRAW_BLOCKS)
    drawn = layers.Add(name="drawn")([rough(blocks), _draw_finer(blocks, config)])
    return keras.Model(picture, drawn, name="autoencoder")


def start_linear(autoencoder: Any, pictures: NDArray[np.float32], seed: int) -> None:
    """Set the linear steps to PCA of float32 (n, size, size, 3) in [0, 1]; the rest stays as it is.

    With fewer pictures than 512, as many directions as there are; the others stay random, small.
    """
    blocks_layer = autoencoder.get_layer(_BLOCKS)
    edge, _, channels, components = blocks_layer.kernel.shape
    n, size = len(pictures), pictures.shape[1]
    grid = size // edge
    cut = pictures.reshape(n, grid, edge, grid, edge, channels).transpose(0, 1, 3, 2, 4, 5)
    cut = cut.reshape(n * grid * grid, edge * edge * channels)
    # One thread: several would add up in an order that differs from run to run. Of pictures that
    # are all equal scikit-learn divides no variance by none.
    with threadpool_limits(1), np.errstate(invalid="ignore"):
        basis = _uncentred_components(cut, components)
        code = (cut @ basis).reshape(n, grid * grid * components)
        count = min(EMBEDDING_SIZE, n - 1, code.shape[1])
        pca = PCA(count, svd_solver="randomized", random_state=seed).fit(code)
    kernel = basis.reshape(edge, edge, channels, components)
    latent, unfold = autoencoder.get_layer(LATENT), autoencoder.get_layer(_UNFOLD)
    down, up = latent.kernel.numpy() * 0.01, unfold.kernel.numpy() * 0.01
    down[:, :count], up[:count] = pca.components_.T, pca.components_
    blocks_layer.set_weights([kernel])
    latent.set_weights([down, -(pca.mean_ @ down)])
    unfold.set_weights([up, pca.mean_])
    autoencoder.get_layer(_DRAW_BLOCKS).set_weights([kernel])


def encoder_part(autoencoder: Any) -> Any:
    """The `keras.Model` from the picture to the latent; shares the autoencoder's weights."""
    return keras.Model(autoencoder.input, autoencoder.get_layer(LATENT).output, name="encoder")


def takes_bytes(autoencoder: Any) -> bool:
    """Whether it rescales pixels itself and so takes [0, 255]; ours take [0, 1]."""
    return any(isinstance(layer, keras.layers.Rescaling) for layer in autoencoder.layers)


def network_input(autoencoder: Any, pixels: Pixels) -> NDArray[np.float32]:
    """uint8 (n, size, size, 3) as the float32 that the autoencoder takes, `scaled` to its size."""
    batch = scaled(pixels, autoencoder.input_shape[1])
    return batch * np.float32(255) if takes_bytes(autoencoder) else batch


def _uncentred_components(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(d, count): the leading eigenvectors of the rows' second moments."""
    moments = rows.T.astype(np.float64) @ rows / len(rows)
    _, vectors = np.linalg.eigh(moments)
    return np.ascontiguousarray(vectors[:, ::-1][:, :count].astype(np.float32))


def _look_closer(picture: Any, config: AutoencoderConfig) -> Any:
    """The encoder's branch: halved until one place is one block, then as many channels as blocks
    have components, zero at first."""
    features = picture
    for filters in config.filters:
        features = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="gelu")(
            features
        )
    return keras.layers.Conv2D(config.components, 3, padding="same", kernel_initializer="zeros")(
        features
    )


def _draw_finer(blocks: Any, config: AutoencoderConfig) -> Any:
    """The decoder's branch: doubled until one place is one pixel, zero at first."""
    features = blocks
    for filters in reversed(config.filters):
        # A kernel that is a multiple of the stride covers every pixel equally often: no
        # checkerboard.
        features = keras.layers.Conv2DTranspose(
            filters, 4, strides=2, padding="same", activation="gelu"
        )(features)
    return keras.layers.Conv2D(3, 3, padding="same", kernel_initializer="zeros")(features)
