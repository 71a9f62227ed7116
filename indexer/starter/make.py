"""Makes the encoder that ships: ``python -m indexer.starter.make DIR... [--out DIR]``.

The same pictures and seed give the same bundle on one machine. The folders must hold pictures with
licences that allow it, and none that figures are measured on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.listing import Chooser, list_root
from indexer.starter import BUNDLE, WEIGHTS_FILE
from indexer.training.configs import AutoencoderConfig
from indexer.training.training import TrainingConfig, train
from shared.files import folder_beside
from shared.models import ENCODER_FILE, Bundle, Models
from shared.types import Progress

_OF_EACH = 1500
"""Most pictures of one folder, so that none outweighs the others."""


def make(
    folders: Sequence[Path],
    out: Path,
    *,
    epochs: int,
    seed: int,
    progress: Progress,
    network: AutoencoderConfig | None = None,
) -> str:
    """Train on the folders' pictures and write the bundle to `out`, replacing it; its id.

    `network` None means the default one, which is what ships.
    """
    with tempfile.TemporaryDirectory() as home:
        models = Models(Path(home))
        config = TrainingConfig(
            encoder=network or AutoencoderConfig(), epochs=epochs, seed=seed, starter=False
        )
        result = train(_pictures(folders, seed), models, config, progress)
        trained = models.bundle(result.pair.encoder)
        with folder_beside(models.root / "encoders") as small:
            shutil.copyfile(trained.path / ENCODER_FILE, small / ENCODER_FILE)
            _save_weights(trained, small / WEIGHTS_FILE)
            bundle = models.add_bundle(small, _manifest(trained.manifest, folders))
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(bundle.path, out)
    return bundle.id


def _pictures(folders: Sequence[Path], seed: int) -> list[bytes]:
    found: list[bytes] = []
    for number, folder in enumerate(folders):
        root = os.fsencode(folder.resolve())
        paths = sorted(list_root(root, Chooser([], Path(os.devnull))).files)
        order = np.random.default_rng((seed, number)).permutation(len(paths))[:_OF_EACH]
        found += [root + b"/" + paths[row] for row in sorted(order.tolist())]
    return found


def _save_weights(trained: Bundle, path: Path) -> None:
    from indexer.training.export import load_autoencoder
    from indexer.training.reconstruction import KERAS_FILE

    weights = load_autoencoder(trained.path / KERAS_FILE).get_weights()
    np.savez(path, **{str(n): array.astype(np.float16) for n, array in enumerate(weights)})


def _manifest(trained: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    kept = {
        name: trained[name] for name in ("kind", "pixels", "data", "metrics", "fit", "versions")
    }
    kept["data"] = {**kept["data"], "sources": [folder.name for folder in folders]}
    return kept


def main() -> None:
    """Parse the command line, make the bundle, tell its id and size."""
    from indexer.cli.progress import progress

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=BUNDLE)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    made = make(given.folders, given.out, epochs=given.epochs, seed=given.seed, progress=progress())
    size = sum(file.stat().st_size for file in given.out.rglob("*") if file.is_file())
    sys.stdout.write(f"{made}  {size / 1e6:.1f} MB  {given.out}\n")


if __name__ == "__main__":
    main()
