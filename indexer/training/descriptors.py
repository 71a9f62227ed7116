"""Local descriptors of a picture, computed inside the graph: what its patches look like.

Every function takes a Keras tensor (n, size, size, 3) in [0, 1] and uses only operations that
LiteRT has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.runtime import keras

Floats = NDArray[np.float32]

ORIENTATIONS = 6
"""Directions of gradients told apart, over the whole circle."""

_AXES = np.arange(ORIENTATIONS // 2) * (2 * math.pi / ORIENTATIONS)
"""Angles of one half of the directions; the other half are their opposites."""

_SQUARE = 2
"""Pixels of so many rows and columns are computed together, as channels: LiteRT is fast where there
are many. Kernels stay below the 1,024 numbers from which they would be rounded to int8."""

_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601."""

_TINY = 1e-6
_FAINT = 0.05
"""Gradients of a patch this weak, in grey levels of [0, 1] a pixel, count as half."""

_OPPONENT = np.array([[1 / 3, 0.7, 0.4], [1 / 3, -0.7, 0.4], [1 / 3, 0.0, -0.8]], np.float32)
"""RGB to brightness, red against green, yellow against blue: each about equally lively in
photographs."""


def shrunk(picture: Any, factor: int) -> Any:
    """The picture at 1/factor of its edge, by means over squares."""
    return keras.layers.AveragePooling2D(factor)(picture) if factor > 1 else picture


def gradient_cells(picture: Any, cell: int) -> Any:
    """(n, size / cell, size / cell, 6): over squares of `cell` pixels, an even number, the mean
    length of the gradient of brightness, shared out over `ORIENTATIONS` directions.

    A direction's share is cos^4 of the angle to it: .56 half-way to the next one and .06 at it, a
    soft assignment to two neighbours, as in Dalal and Triggs (2005), without an arc tangent.
    """
    ops = keras.ops
    slopes = ops.conv(_widened(picture), _slopes(), strides=_SQUARE, padding="valid")
    squares = slopes * slopes
    # Of three axes at 60 degrees the squared slopes add up to 3/2 of the squared length.
    tiny = np.full(squares.shape[-1], _TINY**2, np.float32)
    lengths = ops.conv(squares, _of_pixel(2 / 3), padding="valid") + tiny
    weights = squares * ops.rsqrt(lengths * lengths * lengths)
    forward = ops.relu(slopes)
    means, step = _means(cell // _SQUARE), cell // _SQUARE
    ahead = ops.conv(forward * forward * weights, means, strides=step, padding="valid")
    both = ops.conv(squares * weights, means, strides=step, padding="valid")
    return ops.concatenate([ahead, both - ahead], axis=-1)


def _widened(picture: Any) -> Any:
    """With the outermost pixels once more around it."""
    join = keras.ops.concatenate
    tall = join([picture[:, :1], picture, picture[:, -1:]], axis=1)
    return join([tall[:, :, :1], tall, tall[:, :, -1:]], axis=2)


def _slopes() -> Floats:
    """A kernel from RGB to central differences of brightness along each axis, for the pixels of a
    square: (`_SQUARE` + 2, `_SQUARE` + 2, 3, `_SQUARE`² * 3)."""
    edge = _SQUARE + 2
    kernel = np.zeros((edge, edge, 3, _SQUARE, _SQUARE, len(_AXES)), np.float32)
    across, down = (np.multiply.outer(_BRIGHTNESS, turn(_AXES)) for turn in (np.cos, np.sin))
    for row in range(_SQUARE):
        for column in range(_SQUARE):
            kernel[row + 1, column + 2, :, row, column] += across
            kernel[row + 1, column, :, row, column] -= across
            kernel[row + 2, column + 1, :, row, column] += down
            kernel[row, column + 1, :, row, column] -= down
    return kernel.reshape(edge, edge, 3, -1)


def _of_pixel(factor: float) -> Floats:
    """A 1 x 1 kernel that gives each channel the sum of its pixel's channels, times `factor`."""
    of_one = np.full((len(_AXES), len(_AXES)), factor, np.float32)
    return np.kron(np.eye(_SQUARE**2, dtype=np.float32), of_one)[None, None]


def _means(squares: int) -> Floats:
    """A kernel from pixels as channels to the mean along each axis over `squares` x `squares`."""
    count = (_SQUARE * squares) ** 2
    of_square = np.tile(np.eye(len(_AXES), dtype=np.float32), (_SQUARE**2, 1)) / count
    return np.broadcast_to(of_square, (squares, squares, *of_square.shape)).astype(np.float32)


OPPOSITE = [(ORIENTATIONS // 2 - number) % ORIENTATIONS for number in range(ORIENTATIONS)]
"""For each direction the one that it is in the picture flipped left to right."""


def mirrored_gradients(cells: Any) -> Any:
    """What `gradient_cells` gives of the pictures flipped left to right."""
    swapped = np.eye(ORIENTATIONS, dtype=np.float32)[OPPOSITE]
    return keras.ops.conv(keras.ops.flip(cells, axis=2), swapped[None, None], padding="valid")


def colour_cells(picture: Any, cell: int) -> Any:
    """(n, size / cell, size / cell, 6): mean and deviation of brightness and two colour axes over
    squares of `cell` pixels."""
    axes = keras.ops.conv(picture, _OPPONENT[None, None], padding="valid")
    mean = keras.layers.AveragePooling2D(cell)(axes)
    square = keras.layers.AveragePooling2D(cell)(axes * axes)
    deviation = keras.ops.sqrt(keras.ops.relu(square - mean * mean) + _TINY)
    return keras.ops.concatenate([mean, deviation], axis=-1)


def layout(cells: Any) -> Any:
    """(n, h * w * 6) of gradient cells: where edges run which way, each cell's directions of unit
    length.

    After Dalal and Triggs, *Histograms of Oriented Gradients for Human Detection* (2005), with
    square roots, which keep one strong edge from drowning the others.
    """
    roots = keras.ops.sqrt(cells + _TINY**2)
    length = keras.ops.sqrt(keras.ops.sum(roots * roots, axis=-1, keepdims=True))
    return keras.layers.Flatten()(roots / (length + _FAINT / 2))


def patches(cells: Any, *, block: int, step: int) -> Any:
    """(n, patches, block² * c): `block` x `block` cells as one row, at every `step`-th cell.

    `step` must divide `block` and the cells' edge.
    """
    grid = _windows(_joined(cells, step), block // step)
    _, height, width, length = grid.shape
    return keras.ops.reshape(grid, (-1, height * width, length))


def _joined(cells: Any, edge: int) -> Any:
    """(n, h / edge, w / edge, edge² * c): squares of cells as channels.

    Slices with a stride would do it as well, and are slow in LiteRT.
    """
    if edge == 1:
        return cells
    ops, (_, height, width, channels) = keras.ops, cells.shape
    parted = ops.reshape(cells, (-1, height // edge, edge, width // edge, edge, channels))
    beside = ops.transpose(parted, (0, 1, 3, 2, 4, 5))
    return ops.reshape(beside, (-1, height // edge, width // edge, edge * edge * channels))


def _windows(cells: Any, block: int) -> Any:
    """(n, h', w', block² * c): at every cell, it and its neighbours right and below."""
    if block == 1:
        return cells
    height, width = (edge - block + 1 for edge in cells.shape[1:3])
    shifted = [
        cells[:, row : row + height, column : column + width]
        for row in range(block)
        for column in range(block)
    ]
    return keras.ops.concatenate(shifted, axis=-1)


def mirrored_order(channels: Sequence[int], *, block: int, step: int) -> NDArray[np.int64]:
    """(block² * c,): where in a patch's row stands what is at each place of the row that the
    flipped picture has of it, `channels` being where in a cell's channels stands what is at each
    channel of the flipped cell."""
    size = block * block * len(channels)
    cells = np.arange(size, dtype=np.float32).reshape(1, block, block, -1)
    rows = [
        np.asarray(patches(each, block=block, step=step)).ravel().astype(np.int64)
        for each in (cells, cells[:, :, ::-1][..., list(channels)])
    ]
    return np.argsort(rows[0])[rows[1]]


def places(patches: int, extent: float) -> Floats:
    """(patches, 2): row and column of each patch of a square picture, in [-extent / 2, extent / 2].

    What lies where shall matter a little (Sánchez et al., *Modeling the spatial layout of images
    beyond spatial pyramids*, 2012).
    """
    line = np.linspace(-extent / 2, extent / 2, math.isqrt(patches))
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)
    return grid.reshape(-1, 2).astype(np.float32)


def of_unit_length(rows: Any) -> Any:
    """Rows of patches brought to unit length, faint ones to less.

    On gradients this is the descriptor of Lowe, *Distinctive Image Features from Scale-Invariant
    Keypoints* (2004), on a dense grid.
    """
    length = keras.ops.sqrt(keras.ops.sum(rows * rows, axis=-1, keepdims=True) + _TINY**2)
    return rows / (length + _FAINT)
