"""The steps of a training, each leaving its files in the folder that becomes the bundle."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training import export, figures
from indexer.training.autoencoder import (
    AutoencoderConfig,
    build_autoencoder,
    encoder_part,
    network_input,
)
from indexer.training.dataset import ImageBatches, split
from indexer.training.fit import History, fit
from indexer.training.kmeans import KMeansResult, fit_kmeans
from indexer.training.runtime import quiet
from indexer.training.source import CheckedImages, ImagePath, PixelSource
from indexer.training.training import KIND, TrainingConfig, TrainingResult
from shared.clustering import Clustering
from shared.encoder import LiteRTEncoder
from shared.models import ENCODER_FILE, Models, Pair
from shared.types import EMBEDDING_SIZE, Embeddings, Pixels, Progress

KERAS_FILE, H5_FILE = "autoencoder.keras", "Conv_AE.h5"

_AT_ONCE = 64
_SHOWN_RECONSTRUCTIONS = 10
_SHOWN_OF_A_CLUSTER = 18


def network(config: TrainingConfig) -> Any:
    """The autoencoder to fit, or the saved one to export. Raises `TrainingError`."""
    if config.from_model is not None:
        return export.load_autoencoder(config.from_model)
    return build_autoencoder(config.network or AutoencoderConfig())


@dataclass(frozen=True, slots=True)
class Build:
    """One training under way. `folder` is removed if it does not end well."""

    autoencoder: Any
    source: PixelSource
    checked: CheckedImages
    config: TrainingConfig
    progress: Progress
    folder: Path

    def run(self, models: Models) -> TrainingResult:
        """Fit, export, encode, cluster, draw; then publish bundle and clustering."""
        training, validation = split(
            self.checked.good, self.config.validation_share, self.config.seed
        )
        history = None if self.config.from_model else self._fit(training, validation)
        metrics = self._measure(history, training, validation)
        self._export()
        paths, vectors = self._encode()
        clusters = fit_kmeans(
            vectors, k=self.config.k, seed=self.config.seed, progress=self.progress
        )
        with TemporaryDirectory() as sheets:
            self._draw_clusters(clusters, paths, vectors, Path(sheets))
            bundle = models.add_bundle(self.folder, self._manifest(metrics))
            clustering = models.add_clustering(
                bundle.id, clusters.centroids, clusters.about(), Path(sheets)
            )
        pair = Pair(bundle.id, clustering.generation)
        drawn = [*bundle.path.glob("figures/*"), *models.clustering_path(pair).glob("figures/*")]
        return TrainingResult(
            pair=pair,
            bundle=bundle.path,
            metrics=metrics,
            k=clusters.k,
            chosen_by=clusters.chosen_by,
            sizes=clusters.sizes,
            images=len(self.checked.good),
            refused=self.checked.refused,
            figures=tuple(sorted(drawn)),
        )

    def _fit(self, training: Sequence[ImagePath], validation: Sequence[ImagePath]) -> History:
        config = self.config
        history = fit(
            self.autoencoder,
            ImageBatches(training, config.batch_size, self.source, seed=config.seed),
            ImageBatches(validation, config.batch_size, self.source, flip=0, shuffle=False),
            epochs=config.epochs,
            patience=config.patience,
            learning_rate=config.learning_rate,
            progress=self.progress,
        )
        figures.draw_losses(history.loss, history.val_loss, self._figure("losses.png"))
        return history

    def _measure(
        self,
        history: History | None,
        training: Sequence[ImagePath],
        validation: Sequence[ImagePath],
    ) -> dict[str, Any]:
        """The manifest's metrics, and the picture of reconstructions where there are any."""
        metrics: dict[str, Any] = {"training": len(training), "validation": len(validation)}
        if history is not None:
            metrics |= {
                "loss": history.loss[history.best],
                "val_loss": history.val_loss[history.best],
                "best_epoch": history.best + 1,
                "epochs_run": len(history.loss),
                "history": {"loss": list(history.loss), "val_loss": list(history.val_loss)},
            }
        if self.autoencoder.output_shape != self.autoencoder.input_shape:
            return metrics  # a loaded model need not have a decoder
        errors = 0.0
        for number, (_, pixels) in enumerate(self._chunks(validation)):
            drawn = self._run(self.autoencoder, pixels)
            errors += float(np.square(drawn - pixels.astype(np.float32) / 255).mean()) * len(pixels)
            if number == 0:
                shown = slice(_SHOWN_RECONSTRUCTIONS)
                figures.draw_reconstructions(
                    pixels[shown], drawn[shown], self._figure("reconstructions.png")
                )
        return {"val_loss": errors / len(validation)} | metrics

    def _export(self) -> None:
        """Write the autoencoder and, centred on the mean latent of all pictures, its encoder."""
        latent = encoder_part(self.autoencoder)
        total = np.zeros(EMBEDDING_SIZE, np.float64)
        with self.progress.stage("Exporting", len(self.checked.good)) as stage:
            export.save_keras(self.autoencoder, self.folder / KERAS_FILE)
            if self.config.save_h5:
                export.save_keras(self.autoencoder, self.folder / H5_FILE)
            for paths, pixels in self._chunks(self.checked.good):
                total += self._run(latent, pixels).sum(axis=0, dtype=np.float64)
                stage.advance(len(paths))
            centre = (total / len(self.checked.good)).astype(np.float32)
            encoder = export.complete_encoder(self.autoencoder, centre)
            export.export_litert(encoder, self.folder / ENCODER_FILE)

    def _encode(self) -> tuple[list[ImagePath], Embeddings]:
        """Every picture through the exported file: the very vectors that indexing will store."""
        spec = self.source.spec
        with quiet():  # LiteRT announces itself when it first runs
            encoder = LiteRTEncoder(self.folder / ENCODER_FILE, bundle_id="being built", spec=spec)
            encoder.encode(np.zeros((1, spec.size, spec.size, 3), np.uint8))
        encoded: list[ImagePath] = []
        vectors = np.empty((len(self.checked.good), EMBEDDING_SIZE), np.float32)
        with self.progress.stage("Encoding pictures", len(vectors)) as stage:
            for paths, pixels in self._chunks(self.checked.good):
                vectors[len(encoded) : len(encoded) + len(paths)] = encoder.encode(pixels)
                encoded.extend(paths)
                stage.advance(len(paths))
        return encoded, vectors[: len(encoded)]

    def _draw_clusters(
        self,
        clusters: KMeansResult,
        paths: Sequence[ImagePath],
        vectors: Embeddings,
        folder: Path,
    ) -> None:
        figures.draw_elbow(
            clusters.ks, clusters.inertias, clusters.k, clusters.chosen_by, folder / "elbow.png"
        )
        distances = Clustering("", "g1", clusters.centroids).distances(vectors)
        labels = distances.argmin(axis=1)
        with self.progress.stage("Drawing clusters", clusters.k) as stage:
            for number, size in enumerate(clusters.sizes):
                members = np.flatnonzero(labels == number)
                nearest = members[np.argsort(distances[members, number], kind="stable")]
                shown = [paths[row] for row in nearest[:_SHOWN_OF_A_CLUSTER]]
                pictures = [found for found in self.source.many(shown) if found is not None]
                figures.draw_cluster(number, size, pictures, folder / f"cluster-{number}.png")
                stage.advance()

    def _manifest(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """No dates and no paths: the same pictures and seed give the same bundle."""
        config, hashes = self.config, sorted(self.checked.hashes)
        return {
            "kind": KIND,
            "pixels": self.source.spec.to_json(),
            "data": {
                "images": len(hashes),
                "fingerprint": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
            },
            "metrics": metrics,
            "fit": {
                "loaded": config.from_model is not None,
                "epochs": config.epochs,
                "seed": config.seed,
                "batch_size": config.batch_size,
                "learning_rate": config.learning_rate,
                "patience": config.patience,
                "validation_share": config.validation_share,
            },
            "versions": {name: version(name) for name in ("keras", "numpy", "tensorflow")}
            | {"python": platform.python_version()},
        }

    def _chunks(self, paths: Sequence[ImagePath]) -> Iterator[tuple[list[ImagePath], Pixels]]:
        """Paths and their pixels, some at a time; a file that has vanished since is left out."""
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            found = [
                (path, picture)
                for path, picture in zip(some, self.source.many(some), strict=True)
                if picture is not None
            ]
            if found:
                yield [path for path, _ in found], np.stack([picture for _, picture in found])

    def _run(self, model: Any, pixels: Pixels) -> NDArray[np.float32]:
        batch = network_input(self.autoencoder, pixels)
        output: NDArray[np.float32] = model(batch, training=False).numpy()
        return output

    def _figure(self, name: str) -> Path:
        return self.folder / "figures" / name
