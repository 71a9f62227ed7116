"""What each part of the default encoder is worth: the table of `docs/encoder.md`.

    python -m benchmarks.encoder_parts DIR [--queries DIR] [--sample N] [--epochs N] [--seed N]

The label of a picture is the first folder level. Each picture of DIR is a query against the others,
or those of --queries against all of DIR. One row a variant: one part left out, alone, or set
otherwise; beside them the floors, and the reconstruction against PCA with 512 components.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from indexer.cli.progress import progress
from indexer.listing import Chooser, list_root
from indexer.training.autoencoder_recipe import AutoencoderRecipe
from indexer.training.configs import WEIGHTS, AutoencoderConfig
from indexer.training.dataset import scaled, split
from indexer.training.likeness import Blocks, WeightedBlock, blocks_of
from indexer.training.projection import fit_projection
from indexer.training.recipe import Pictures
from indexer.training.runtime import make_repeatable
from indexer.training.source import PixelSource, check_images
from indexer.training.training import TrainingConfig
from shared.evaluation import mean_average_precision_at, mean_precision_at_k
from shared.floors import fit_floors
from shared.types import Pixels, PixelSpec

_DEPTH = 100
_CACHE_BYTES = 2**31

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


class Album:
    """A folder's readable pictures: their pixels at one size, and their labels."""

    def __init__(self, folder: Path, size: int) -> None:
        self.source = PixelSource(PixelSpec(size=size), cache_bytes=_CACHE_BYTES)
        root = os.fsencode(folder.resolve())
        paths = [root + b"/" + path for path in sorted(list_root(root, Chooser([], folder)).files)]
        self.checked = check_images(paths, self.source, progress())
        self.labels = np.array(
            [os.fsencode(path)[len(root) + 1 :].split(b"/")[0] for path in self.checked.good]
        )

    def pictures(self, config: TrainingConfig) -> Pictures:
        """Split as a training splits them."""
        training, validation = split(self.checked.good, config.validation_share, config.seed)
        return Pictures(self.source, self.checked, training, validation)


def quality(
    points: Vectors, labels: NDArray[Any], queries: Vectors, asked: NDArray[Any], own: Rows | None
) -> tuple[float, float]:
    """P@10 and mAP@100. `own`: the point that is the query itself, left out of its answer."""
    relevant = []
    for number, (query, label) in enumerate(zip(queries, asked, strict=True)):
        scores = points @ query
        if own is not None:
            scores[own[number]] = -np.inf
        best = np.argsort(-scores, kind="stable")[:_DEPTH]
        relevant.append(labels[best] == label)
    return mean_precision_at_k(relevant, 10), mean_average_precision_at(relevant, _DEPTH)


def vectors(
    fitted: Blocks, asked: Blocks, weights: Mapping[str, float], whiten: float, seed: int
) -> tuple[Vectors, Vectors]:
    """What `likeness_encoder` makes of the blocks, without the graph."""
    layers = {
        name: WeightedBlock(fitted[name].mean(axis=0), weight)
        for name, weight in weights.items()
        if weight > 0
    }
    points, queries = (
        np.concatenate([layer(blocks[name]).numpy() for name, layer in layers.items()], axis=1)
        for blocks in (fitted, asked)
    )
    projection = fit_projection(points, seed, whiten)
    return _unit((points - projection.mean) @ projection.components), _unit(
        (queries - projection.mean) @ projection.components
    )


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def variants(whiten: float) -> dict[str, tuple[dict[str, float], float]]:
    """Weights and whitening by the name of a row."""
    rows = {"**all of it**": (dict(WEIGHTS), whiten)}
    rows |= {f"without {name}": ({**WEIGHTS, name: 0.0}, whiten) for name in WEIGHTS}
    rows |= {f"{name} alone": ({name: 1.0}, whiten) for name in WEIGHTS}
    rows["equal weights"] = (dict.fromkeys(WEIGHTS, 1.0), whiten)
    rows |= {f"whitened {share}": (dict(WEIGHTS), share) for share in (0.0, 0.5, 1.0)}
    return rows


def pca_loss(training: Pixels, validation: Pixels, edge: int) -> float:
    """Mean squared error of PCA with 512 components on the validation pictures."""
    flat, other = (
        scaled(pixels, edge).reshape(len(pixels), -1) for pixels in (training, validation)
    )
    pca = PCA(min(512, len(flat) - 1), svd_solver="randomized", random_state=0).fit(flat)
    return float(np.square(pca.inverse_transform(pca.transform(other)) - other).mean())


def main() -> None:
    """Fit, measure, print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--sample", type=int, default=10**9)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=int, default=AutoencoderConfig().picture)
    given = parser.parse_args()

    make_repeatable(given.seed)
    network = replace(AutoencoderConfig(), picture=given.picture, size=given.picture // 2)
    config = TrainingConfig(network, epochs=given.epochs, seed=given.seed)
    album = Album(given.folder, network.picture)
    other = Album(given.queries, network.picture) if given.queries else album
    pictures = album.pictures(config)
    with TemporaryDirectory() as folder:
        recipe = AutoencoderRecipe(network, config)
        work = recipe.begin(pictures, Path(folder), progress())
        work.fit(progress())
        loss = work.validation_loss()
        features = recipe.features(work.autoencoder, pictures, progress())

    rows = np.random.default_rng(0).permutation(len(other.labels))[: given.sample]
    fitted = blocks_of(features, (pixels for _, pixels in pictures.chunks(album.checked.good)))
    asked = (
        fitted
        if other is album
        else blocks_of(
            features, (pixels for _, pixels in pictures_of(other).chunks(other.checked.good))
        )
    )
    print(f"\n{given.folder.name}, seed {given.seed}, {network.picture} px\n")
    print("| variant | P@10 | mAP@100 |\n|---|---|---|")
    for name, (weights, whiten) in variants(network.whiten).items():
        points, queries = vectors(fitted, asked, weights, whiten, given.seed)
        _row(name, album, other, points, queries, rows)
    _floors(album, other, rows)
    training = pictures.sample(pictures.training, 4000, (0,))
    mark = pca_loss(training, pictures.sample(pictures.validation, 10**9, (0,)), network.size)
    print(f"\nvalidation MSE {loss:.5f}, PCA-512 {mark:.5f}, ratio {loss / mark:.2f}")


def pictures_of(album: Album) -> Pictures:
    """An album's pictures, none of them to train on."""
    return Pictures(album.source, album.checked, (), album.checked.good)


def _floors(album: Album, other: Album, rows: Rows) -> None:
    points, queries = (_small(each) for each in (album, other))
    for name, features in fit_floors(points).items():
        found = features(points)
        asked = found if other is album else features(queries)
        _row(f"floor: {name}", album, other, found, asked, rows)


def _small(album: Album) -> Pixels:
    pixels = np.concatenate([some for _, some in pictures_of(album).chunks(album.checked.good)])
    small: Pixels = np.rint(scaled(pixels, 64) * 255).astype(np.uint8)
    return small


def _row(
    name: str, album: Album, other: Album, points: Vectors, queries: Vectors, rows: Rows
) -> None:
    own = rows if other is album else None
    precision, average = quality(points, album.labels, queries[rows], other.labels[rows], own)
    print(f"| {name} | {precision:.3f} | {average:.3f} |", flush=True)


if __name__ == "__main__":
    main()
