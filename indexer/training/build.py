"""The steps of a training, each leaving its files in the folder that becomes the bundle."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from indexer.training import export
from indexer.training.checkpoint import Checkpoints
from indexer.training.clusters import (
    ClusterConfig,
    clustering_about,
    encode_pictures,
    fit_clusters,
)
from indexer.training.configs import as_json
from indexer.training.dataset import split
from indexer.training.recipe import Fitted, Pictures, Recipe
from indexer.training.source import CheckedImages, PixelSource
from indexer.training.training import TrainingConfig, TrainingResult
from shared.encoder import LiteRTEncoder
from shared.models import ENCODER_FILE, Models, Pair
from shared.types import Progress


@dataclass(frozen=True, slots=True)
class Build:
    """One training under way. `folder` is removed if it does not end well."""

    recipe: Recipe
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
        checkpoints = self._checkpoints(models)
        pictures = Pictures(self.source, self.checked, training, validation, checkpoints)
        fitted = self.recipe.fit(pictures, self.folder / "figures", self.progress)
        self._export(fitted)
        encoder = LiteRTEncoder(
            self.folder / ENCODER_FILE, bundle_id="being built", spec=self.source.spec
        )
        encoded = encode_pictures(self.checked.good, self.source, encoder, self.progress)
        wanted = ClusterConfig(self.config.k, self.config.seed, self.config.workers)
        with TemporaryDirectory() as sheets:
            clusters = fit_clusters(encoded, self.source, wanted, Path(sheets), self.progress)
            bundle = models.add_bundle(self.folder, self._manifest(fitted.metrics))
            about = clustering_about(clusters, encoded.vectors, wanted)
            clustering = models.add_clustering(bundle.id, clusters.centroids, about, Path(sheets))
        checkpoints.remove()
        pair = Pair(bundle.id, clustering.generation)
        drawn = [*bundle.path.glob("figures/*"), *models.clustering_path(pair).glob("figures/*")]
        return TrainingResult(
            pair=pair,
            bundle=bundle.path,
            metrics=fitted.metrics,
            k=clusters.k,
            chosen_by=clusters.chosen_by,
            sizes=clusters.sizes,
            images=len(self.checked.good),
            refused=self.checked.refused,
            figures=tuple(sorted(drawn)),
        )

    def _checkpoints(self, models: Models) -> Checkpoints:
        """Where a killed training goes on from. The manifest tells most of what it depends on."""
        settings = asdict(self.config.encoder).values()
        training = self._manifest({}) | {
            "pictures": self.checked.hashes,
            "files": [
                hashlib.sha256(value.read_bytes()).hexdigest()
                for value in settings
                if isinstance(value, Path) and value.is_file()
            ],
        }
        found = Checkpoints(
            models.root / "checkpoints", training, self.progress, fresh=self.config.fresh
        )
        found.sweep()
        return found

    def _export(self, fitted: Fitted) -> None:
        with self.progress.stage("Exporting", 1 + len(fitted.saved)) as stage:
            for name, model in fitted.saved.items():
                export.save_keras(model, self.folder / name)
                stage.advance()
            export.export_litert(
                fitted.encoder, self.folder / ENCODER_FILE, quantize=fitted.quantize
            )
            stage.advance()

    def _manifest(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """No dates and no paths: the same pictures and seed give the same bundle."""
        config, hashes = self.config, sorted(self.checked.hashes)
        return {
            "kind": self.recipe.kind,
            "pixels": self.source.spec.to_json(),
            "data": {
                "images": len(hashes),
                "fingerprint": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
            },
            "metrics": dict(metrics),
            "fit": {
                "loaded": config.from_model is not None,
                "encoder": as_json(config.encoder),
                "epochs": config.max_epochs,
                "seed": config.seed,
                "batch_size": config.batch_size,
                "learning_rate": config.learning_rate,
                "patience": config.patience,
                "validation_share": config.validation_share,
            },
            "versions": {name: version(name) for name in ("keras", "numpy", "tensorflow")}
            | {"python": platform.python_version()},
        }
