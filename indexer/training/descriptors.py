"""Local descriptors of a picture, computed inside the graph: what its patches look like.

Every function takes a Keras tensor (n, size, size, 3) in [0, 1] and uses only operations that
LiteRT has.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from indexer.training.runtime import keras

ORIENTATIONS = 6
"""Directions of gradients told apart, over the whole circle."""

_SQUARINGS = 2
# cos^4 of the angle to a direction is .56 half-way to the next one and .06 at it: a soft assignment
# to two neighbours, as in Dalal and Triggs (2005), without an arc tangent.

_ANGLES = np.arange(ORIENTATIONS) * (2 * math.pi / ORIENTATIONS)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)]).astype(np.float32)

_BRIGHTNESS = np.array([[0.299], [0.587], [0.114]], np.float32)
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


def gradients(picture: Any) -> Any:
    """(n, size, size, 6): length of each pixel's gradient of brightness, shared out over
    `ORIENTATIONS` directions."""
    ops = keras.ops
    grey = ops.matmul(picture, _BRIGHTNESS)
    wide = ops.pad(grey, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    across = wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]
    down = wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]
    length = ops.sqrt(across * across + down * down + _TINY**2)
    heading = ops.concatenate([across, down], axis=-1) / length
    share = ops.relu(ops.matmul(heading, _DIRECTIONS))
    for _ in range(_SQUARINGS):
        share = share * share
    return share * length


def gradient_cells(picture: Any, cell: int) -> Any:
    """(n, size / cell, size / cell, 6): mean `gradients` over squares of `cell` pixels."""
    return keras.layers.AveragePooling2D(cell)(gradients(picture))


def mirrored_gradients(cells: Any) -> Any:
    """What `gradient_cells` gives of the pictures flipped left to right."""
    swapped = [(ORIENTATIONS // 2 - number) % ORIENTATIONS for number in range(ORIENTATIONS)]
    return keras.ops.matmul(mirrored(cells), np.eye(ORIENTATIONS, dtype=np.float32)[swapped])


def colour_cells(picture: Any, cell: int) -> Any:
    """(n, size / cell, size / cell, 6): mean and deviation of brightness and two colour axes over
    squares of `cell` pixels."""
    axes = keras.ops.matmul(picture, _OPPONENT)
    mean = keras.layers.AveragePooling2D(cell)(axes)
    square = keras.layers.AveragePooling2D(cell)(axes * axes)
    deviation = keras.ops.sqrt(keras.ops.relu(square - mean * mean) + _TINY)
    return keras.ops.concatenate([mean, deviation], axis=-1)


def mirrored(cells: Any) -> Any:
    """Flipped left to right."""
    return keras.ops.flip(cells, axis=2)


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
    # Slices with a stride are slow in LiteRT, so there are few: cells of one step become channels.
    joined = _windows(cells, step, step) if step > 1 else cells
    grid = _windows(joined, block // step, 1)
    return keras.layers.Reshape((-1, grid.shape[-1]))(grid)


def _windows(cells: Any, block: int, step: int) -> Any:
    """(n, h', w', block² * c): at every `step`-th cell, it and its neighbours right and below."""
    height, width = ((edge - block) // step * step + 1 for edge in cells.shape[1:3])
    shifted = [
        cells[:, row : row + height : step, column : column + width : step]
        for row in range(block)
        for column in range(block)
    ]
    return keras.ops.concatenate(shifted, axis=-1) if block > 1 else cells


def with_places(rows: Any, extent: float) -> Any:
    """Rows of patches of a square picture, with each one's row and column in it appended, in
    [-extent / 2, extent / 2]: what lies where shall matter a little (Sánchez et al., *Modeling the
    spatial layout of images beyond spatial pyramids*, 2012)."""
    line = np.linspace(-extent / 2, extent / 2, math.isqrt(rows.shape[1]))
    places = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    # Added to a zero of the right batch size, since a graph has no constant of unknown length.
    return keras.ops.concatenate([rows, rows[:, :, :2] * 0.0 + places.astype(np.float32)], axis=-1)


def of_unit_length(rows: Any) -> Any:
    """Rows of patches brought to unit length, faint ones to less.

    On gradients this is the descriptor of Lowe, *Distinctive Image Features from Scale-Invariant
    Keypoints* (2004), on a dense grid.
    """
    length = keras.ops.sqrt(keras.ops.sum(rows * rows, axis=-1, keepdims=True) + _TINY**2)
    return rows / (length + _FAINT)
