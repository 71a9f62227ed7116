"""A query the article's way: `python -m benchmarks.article FOLDER IMAGE`.

Keras loads `Conv_AE.h5`, scikit-learn predicts the cluster, NumPy compares with a pickled dict.
FOLDER is made by `prepare`. `python -m benchmarks.article --network FILE.h5` writes a network of
the usual size that nobody trained: as slow as one that was.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

FITTED = 10_000
"""Vectors that K-Means is fitted on; more take longer and change nothing in a query."""


def write_network(h5: Path) -> None:
    """The default autoencoder with the weights it begins with."""
    from indexer.training.autoencoder import build_autoencoder
    from indexer.training.configs import AutoencoderConfig
    from indexer.training.export import save_keras

    save_keras(build_autoencoder(AutoencoderConfig()), h5)


def prepare(folder: Path, h5: Path, names: Sequence[str], vectors: object, k: int) -> None:
    """Write what the article keeps: the network, K-Means, and names with vectors and clusters."""
    import shutil

    import numpy as np
    from sklearn.cluster import KMeans

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(h5, folder / "Conv_AE.h5")
    rows = np.asarray(vectors, np.float32)
    kmeans = KMeans(k, n_init=1, random_state=0).fit(rows[:FITTED])
    clusters = dict(zip(names, map(int, kmeans.predict(rows)), strict=True))
    index = dict(zip(names, rows, strict=True))
    for name, value in (("kmeans", kmeans), ("index", index), ("clusters", clusters)):
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(value))


def query(folder: Path, image: Path, number: int = 12) -> list[tuple[float, str]]:
    """Score and name of the most similar images of the query's cluster."""
    import keras
    import numpy as np
    from PIL import Image

    autoencoder = keras.models.load_model(folder / "Conv_AE.h5", compile=False)
    encoder = keras.Model(autoencoder.input, autoencoder.get_layer("latent").output)
    kmeans, index, clusters = (
        pickle.loads((folder / f"{name}.pickle").read_bytes())  # noqa: S301 - that is the point
        for name in ("kmeans", "index", "clusters")
    )
    size = autoencoder.input_shape[1]
    pixels = np.asarray(Image.open(image).convert("RGB").resize((size, size)), np.float32) / 255
    vector = encoder.predict(pixels[None], verbose=0)[0]
    cluster = kmeans.predict(vector[None].astype(np.float32))[0]
    names = [name for name, label in clusters.items() if label == cluster]
    rows = np.stack([index[name] for name in names])
    scores = rows @ vector / (np.linalg.norm(rows, axis=1) * np.linalg.norm(vector))
    best = np.argsort(-scores)[:number]
    return [(float(scores[row]), names[row]) for row in best]


if __name__ == "__main__":
    if sys.argv[1] == "--network":
        write_network(Path(sys.argv[2]))
    else:
        for score, name in query(Path(sys.argv[1]), Path(sys.argv[2])):
            print(f"{score:.3f} {name}")
