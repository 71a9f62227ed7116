"""Indexing the article's way: `python -m benchmarks.article_index OUT MOST FOLDER...`.

Pictures are read one by one and put through Keras' `predict` in batches; names and vectors go into
a pickled dictionary, cluster numbers into another. The network is the article's: 512 x 512 pixels,
32, 16, 8 and 8 filters, a latent of 512; its weights are random, which takes as long. Prints
images a second for each folder, of which it takes MOST, imports and loading not counted.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE, BATCH, CLUSTERS = 512, 32, 6


def encoder() -> Any:
    """The article's network up to its latent."""
    from indexer.training.configs import PlainConfig
    from indexer.training.plain import build_plain
    from indexer.training.runtime import keras

    whole = build_plain(PlainConfig(size=SIZE))
    return keras.Model(whole.input, whole.get_layer("latent").output)


def index(paths: Sequence[Path], network: Any, out: Path) -> None:
    """Read, encode, cluster, pickle."""
    from sklearn.cluster import KMeans

    vectors = np.concatenate(
        [network.predict(batch, verbose=0, batch_size=BATCH) for batch in _batches(paths)]
    )
    labels = KMeans(min(CLUSTERS, len(paths)), n_init=1, random_state=0).fit_predict(vectors)
    names = [str(path) for path in paths]
    out.write_bytes(pickle.dumps((dict(zip(names, vectors, strict=True)), labels)))


def _batches(paths: Sequence[Path]) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    for start in range(0, len(paths), BATCH):
        some = [_read(path) for path in paths[start : start + BATCH]]
        yield np.stack(some)


def _read(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    picture = Image.open(path).convert("RGB").resize((SIZE, SIZE))
    return np.asarray(picture, np.float32) / np.float32(255)


def main(out: Path, most: int, folders: Sequence[Path]) -> None:
    """Warm up on one batch, then measure."""
    network, rates = encoder(), []
    network.predict(np.zeros((BATCH, SIZE, SIZE, 3), np.float32), verbose=0)
    for folder in folders:
        paths = sorted(folder.rglob("*.jpg"))[:most]
        started = time.perf_counter()
        index(paths, network, out)
        rates.append(len(paths) / (time.perf_counter() - started))
    print(json.dumps(rates))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), list(map(Path, sys.argv[3:])))
