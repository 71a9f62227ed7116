"""Encoder bundles and clusterings on disk, and which pair is current.

    models/
      encoders/ID/           manifest.json, encoder.tflite, autoencoder.keras, figures/
      clusterings/ID/g1/     clustering.json, centroids.npy, figures/
      current.json           the pair that answers queries
      next.json              a trained pair whose collection is still being filled

A bundle's ID is the hash of its manifest, and the manifest holds the hash of every other file, so
the name vouches for the whole. Everything is complete or absent.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.calibration import Calibration
from shared.clustering import Clustering
from shared.errors import ModelError, NoModel
from shared.files import folder_beside, publish_folder, write_json
from shared.types import EMBEDDING_SIZE, PixelSpec

FORMAT_VERSION = 1
ENCODER_FILE = "encoder.tflite"
_ID_LENGTH = 16
_SEALED = ("format", "latent", "files")  # what `add_bundle` adds to a manifest
_ID = re.compile(rf"[0-9a-f]{{{_ID_LENGTH}}}")
_GENERATION = re.compile(r"g[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Pair:
    """One encoder and one generation of its clusterings."""

    encoder: str
    generation: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A complete encoder bundle. `manifest` has the keys that `Models.add_bundle` documents."""

    id: str
    path: Path
    manifest: Mapping[str, Any]

    @property
    def spec(self) -> PixelSpec:
        """The geometry that the encoder was trained on. Raises `ModelError`."""
        try:
            return PixelSpec.from_json(self.manifest["pixels"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"encoder {self.id} has a geometry that this program does not know ({error}): "
                "use the version that made it or train again"
            ) from error

    @property
    def kind(self) -> str:
        """``"autoencoder"`` and so on."""
        return str(self.manifest["kind"])

    def read(self, name: str) -> bytes:
        """A file of the bundle, its hash checked. Raises `ModelError` if it is not the one made."""
        wanted = self.manifest["files"].get(name)
        if wanted is None:
            raise ModelError(f"encoder {self.id} holds no file {name}")
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise ModelError(
                f"encoder {self.id}: {name} cannot be read: {error.strerror}"
            ) from error
        if hashlib.sha256(data).hexdigest() != wanted:
            raise ModelError(f"encoder {self.id}: {name} is damaged: train again or restore it")
        return data


def read_bundle(path: Path, wanted: str | None = None) -> Bundle:
    """The bundle in a folder, named by the hash of its manifest, which must be `wanted` if given.

    Raises `ModelError`.
    """
    try:
        data = (path / "manifest.json").read_bytes()
    except OSError as error:
        raise ModelError(f"encoder {path.name} is missing from {path.parent}") from error
    bundle_id = _hash(data)
    if wanted not in (None, bundle_id):
        raise ModelError(f"encoder {wanted}: manifest.json is damaged: train again")
    manifest = _json(data, path / "manifest.json")
    _check_version(manifest, f"encoder {bundle_id}")
    return Bundle(bundle_id, path, manifest)


class Models:
    """The models of one home, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add_bundle(self, built: Path, manifest: Mapping[str, Any]) -> Bundle:
        """Seal a folder of files as a bundle and move it into place; the same content twice is one.

        `manifest` gives `kind`, `pixels` (a `PixelSpec` as JSON), `data` (the training data's
        fingerprint), `metrics` and `versions`; format version, latent size and hashes are added.
        """
        sealed = dict(manifest) | {
            "format": FORMAT_VERSION,
            "latent": EMBEDDING_SIZE,
            "files": {
                str(file.relative_to(built)): hashlib.sha256(file.read_bytes()).hexdigest()
                for file in sorted(built.rglob("*"))
                if file.is_file() and file != built / "manifest.json"
            },
        }
        write_json(built / "manifest.json", sealed)
        bundle_id = _hash((built / "manifest.json").read_bytes())
        target = self.root / "encoders" / bundle_id
        target.parent.mkdir(parents=True, exist_ok=True)
        if not publish_folder(built, target) and not self._is_whole(bundle_id):
            with folder_beside(target.parent) as damaged:
                target.rename(damaged / bundle_id)
                publish_folder(built, target)
        return self.bundle(bundle_id)

    def import_bundle(self, folder: Path) -> Bundle:
        """Copy a complete bundle from elsewhere into place, unless it is there already.

        Raises `ModelError` if the folder is no whole bundle.
        """
        source = read_bundle(folder)
        if not self._is_whole(source.id):
            with folder_beside(self.root / "encoders") as built:
                for name in source.manifest["files"]:
                    (built / name).parent.mkdir(parents=True, exist_ok=True)
                    (built / name).write_bytes(source.read(name))
                manifest = {
                    name: value for name, value in source.manifest.items() if name not in _SEALED
                }
                self.add_bundle(built, manifest)
        return self.bundle(source.id)

    def _is_whole(self, bundle_id: str) -> bool:
        try:
            bundle = self.bundle(bundle_id)
            for name in bundle.manifest["files"]:
                bundle.read(name)
        except ModelError:
            return False
        return True

    def bundle(self, bundle_id: str) -> Bundle:
        """The bundle of that id, its manifest checked. Raises `ModelError`."""
        return read_bundle(self.root / "encoders" / bundle_id, bundle_id)

    def add_clustering(
        self,
        encoder: str,
        centroids: NDArray[np.float32],
        about: Mapping[str, Any],
        figures: Path | None = None,
    ) -> Clustering:
        """Write the next generation of an encoder's clusterings.

        `about` tells how it was made: `chosen_by`, `sizes`, `inertia` and so on, as JSON values.
        `figures`: a folder of pictures that is copied in as `figures/`. Raises ValueError, and
        writes nothing, for centroids that `Clustering` refuses.
        """
        centroids = Clustering(encoder, "unnamed", np.asarray(centroids)).centroids
        parent = self.root / "clusterings" / encoder
        with folder_beside(parent) as built:
            buffer = io.BytesIO()
            np.save(buffer, centroids, allow_pickle=False)
            (built / "centroids.npy").write_bytes(buffer.getvalue())
            if figures is not None:
                shutil.copytree(figures, built / "figures")
            generation = f"g{1 + max([0, *self._generations(encoder)])}"
            value = dict(about) | {
                "format": FORMAT_VERSION,
                "encoder": encoder,
                "generation": generation,
                "k": len(centroids),
                "centroids": hashlib.sha256(buffer.getvalue()).hexdigest(),
            }
            value = json.loads(json.dumps(value))  # the checksum is that of what is read back
            write_json(built / "clustering.json", value | {"checksum": _checksum(value)})
            if not publish_folder(built, parent / generation):
                raise ModelError(f"{parent / generation} appeared meanwhile: fit it again")
        return self.clustering(Pair(encoder, generation))

    def clustering(self, pair: Pair) -> Clustering:
        """The clustering of a pair, its hash checked. Raises `ModelError`."""
        about = self.about_clustering(pair)
        path = self.clustering_path(pair) / "centroids.npy"
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != about["centroids"]:
                raise ModelError(f"clustering {path} is damaged: fit it again")
            centroids = np.load(io.BytesIO(data), allow_pickle=False)
            return Clustering(pair.encoder, pair.generation, centroids)
        except (OSError, ValueError) as error:
            raise ModelError(f"clustering {path} cannot be read: {error}") from error

    def calibration(self, pair: Pair) -> Calibration | None:
        """What was measured on a clustering's vectors; None if that is not known or was measured in
        another way. Raises `ModelError`."""
        value = self.about_clustering(pair).get("calibration")
        if value is None:
            return None
        try:
            return Calibration.from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            path = self.clustering_path(pair) / "clustering.json"
            raise ModelError(f"{path} holds no calibration that can be read: {error!r}") from error

    def about_clustering(self, pair: Pair) -> dict[str, Any]:
        """How a clustering was made, its checksum checked. Raises `ModelError`."""
        path = self.clustering_path(pair) / "clustering.json"
        try:
            about = _json(path.read_bytes(), path)
        except OSError as error:
            raise ModelError(f"clustering {path.parent} is missing: fit it again") from error
        _check_version(about, f"clustering {path.parent}")
        if about.pop("checksum", None) != _checksum(about):
            raise ModelError(f"{path} is damaged: fit it again")
        if (about.get("encoder"), about.get("generation")) != (pair.encoder, pair.generation):
            raise ModelError(f"clustering {path.parent} belongs to another encoder: fit it again")
        return about

    def current(self) -> Pair:
        """The pair that answers queries. Raises `NoModel` when nothing has been trained."""
        pair = self._pair("current")
        if pair is None:
            raise NoModel(f"no model in {self.root.parent}: run `indexer watch DIR` first")
        return pair

    def next(self) -> Pair | None:
        """A trained pair whose collection is not yet whole, or None."""
        return self._pair("next")

    def set_current(self, pair: Pair) -> None:
        """Make a pair current, atomically; it stops being the next one."""
        self._set("current", pair)
        if self.next() == pair:
            (self.root / "next.json").unlink(missing_ok=True)

    def set_next(self, pair: Pair) -> None:
        """Name the pair that indexing shall fill a collection for."""
        self._set("next", pair)

    def clear_next(self) -> None:
        """Let the pair that waits wait no longer; its collection is dropped by the indexer."""
        (self.root / "next.json").unlink(missing_ok=True)

    def _set(self, name: str, pair: Pair) -> None:
        self.clustering(pair)
        self.bundle(pair.encoder).read(ENCODER_FILE)
        value = {"format": FORMAT_VERSION, "encoder": pair.encoder, "generation": pair.generation}
        write_json(self.root / f"{name}.json", value)

    def _pair(self, name: str) -> Pair | None:
        path = self.root / f"{name}.json"
        try:
            value = _json(path.read_bytes(), path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error
        _check_version(value, str(path))
        pair = Pair(str(value.get("encoder")), str(value.get("generation")))
        if not _ID.fullmatch(pair.encoder) or not _GENERATION.fullmatch(pair.generation):
            raise ModelError(f"{path} names no encoder and generation: train again")
        return pair

    def clustering_path(self, pair: Pair) -> Path:
        """Where a pair's clustering lies."""
        return self.root / "clusterings" / pair.encoder / pair.generation

    def _generations(self, encoder: str) -> list[int]:
        found = (self.root / "clusterings" / encoder).glob("g*")
        return [int(path.name[1:]) for path in found if _GENERATION.fullmatch(path.name)]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_ID_LENGTH]


def _checksum(value: Mapping[str, Any]) -> str:
    """The hash of a clustering's JSON values, which no manifest vouches for."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _json(data: bytes, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is damaged: it holds no object")
    return value


def _check_version(value: Mapping[str, Any], what: str) -> None:
    if value.get("format") != FORMAT_VERSION:
        raise ModelError(
            f"{what} has format {value.get('format')!r}, this program reads {FORMAT_VERSION}: "
            "use the version that made it or train again"
        )
