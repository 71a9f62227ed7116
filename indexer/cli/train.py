"""`indexer train`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.cli.console import DebugOption, ExcludeOption, HomeOption, reported_errors, say

if TYPE_CHECKING:
    from indexer.training.clusters import ClusteringResult
    from indexer.training.training import TrainingConfig, TrainingResult
    from shared.models import Models
    from shared.reading import Limits
    from shared.settings import Settings


def train(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of pictures.")],
    k: Annotated[str, typer.Option("--k", metavar="auto|N", help="Clusters.")] = "auto",
    encoder: Annotated[
        str, typer.Option(metavar="KIND", help="Which kind of encoder.")
    ] = "autoencoder",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Most passes through the pictures.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures a step. [default: 32]")
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.5, help="Share of the pictures held out. [default: 0.15]"),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after so many epochs without a lower loss. [default: 10]"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same pictures, same model.")
    ] = 0,
    save_h5: Annotated[
        bool, typer.Option("--save-h5", help="Also write Conv_AE.h5 into the bundle.")
    ] = False,
    from_model: Annotated[
        Path | None,
        typer.Option(help="Take this .keras or .h5 autoencoder instead of training one."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew where a killed training could go on.")
    ] = False,
    variant: Annotated[
        str | None,
        typer.Option(metavar="B0...B7", help="Which EfficientNet. [default: B0, the smallest]"),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="EfficientNet's weights. [default: ImageNet's, fetched]"),
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Train EfficientNet further on the pictures.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Triplet's labels. [default: the folders' names]"),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="What triplet starts from. [default: autoencoder]"),
    ] = None,
    mining: Annotated[
        str | None,
        typer.Option(metavar="semi-hard|batch-hard", help="Which triplets. [default: semi-hard]"),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="By how much others are farther. [default: 0.5]")
    ] = None,
    starter_only: Annotated[
        bool,
        typer.Option("--starter-only", help="Take the encoder that ships, fit only clusters."),
    ] = False,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Do not begin with the shipped weights.")
    ] = False,
    exclude: ExcludeOption = None,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Fit an encoder and its clusters on folders of pictures, and draw how it went."""
    options = {
        "epochs": epochs,
        "batch_size": batch_size,
        "validation_share": validation_share,
        "patience": patience,
        "save_h5": save_h5,
        "from_model": from_model,
        "fresh": fresh,
        "variant": variant,
        "weights": weights,
        "fine_tune": fine_tune,
        "labels": labels,
        "start": start,
        "mining": mining,
        "margin": margin,
        "from_scratch": from_scratch,
    }
    with reported_errors(debug):
        from indexer.activation import make_current_or_next
        from indexer.cli.encoder_options import cluster_count, given, refuse_with_starter_only
        from indexer.cli.train_report import report
        from indexer.partition import require_leader
        from indexer.parts import with_remembered_part
        from indexer.training import require_tensorflow
        from shared.models import Models
        from shared.reading import Limits
        from shared.settings import load_settings

        wanted, chosen = cluster_count(k), given(options)
        if starter_only:
            refuse_with_starter_only(encoder, chosen)
        else:
            config = _config(encoder, chosen, folders, wanted, seed)
            require_tensorflow()
        settings = with_remembered_part(load_settings({"home": home}))
        require_leader(settings, "train")
        models, limits = (
            Models(settings.models),
            Limits(settings.max_pixels, settings.max_file_bytes),
        )
        paths = _pictures(folders, exclude or [], settings)
        result: TrainingResult | ClusteringResult
        if starter_only:
            result = _cluster(paths, wanted, seed, models, settings.workers, limits)
        else:
            from indexer.cli.progress import progress
            from indexer.training.training import train as run_training

            result = run_training(
                paths, models, replace(config, workers=settings.workers), progress(), limits
            )
        waits = make_current_or_next(settings, result.pair)
        report(result, models, waits=waits, as_json=json_)


_OF_TRAINING = (
    "epochs", "batch_size", "validation_share", "patience", "save_h5", "from_model", "fresh"
)  # fmt: skip


def _config(
    kind: str, options: dict[str, Any], folders: list[Path], k: int | None, seed: int
) -> TrainingConfig:
    """What the options ask for. Raises `typer.BadParameter` for what does not go together."""
    from indexer.cli.encoder_options import encoder_config
    from indexer.training.training import TrainingConfig

    where = {"folders": tuple(folders)} if kind == "triplet" else {}
    return TrainingConfig(
        encoder=encoder_config(kind, options | where),
        seed=seed,
        k=k,
        starter="from_scratch" not in options,
        **{name: options[name] for name in _OF_TRAINING if name in options},
    )


def _cluster(
    paths: list[bytes], k: int | None, seed: int, models: Models, workers: int, limits: Limits
) -> ClusteringResult:
    """Clusters for the encoder that ships."""
    from indexer.cli.progress import progress
    from indexer.starter import install
    from indexer.training.clusters import ClusterConfig, cluster_pictures

    config = ClusterConfig(k=k, seed=seed, workers=workers)
    return cluster_pictures(paths, install(models), models, config, progress(), limits)


def _pictures(folders: list[Path], exclude: list[str], settings: Settings) -> list[bytes]:
    """Every file below the folders that a scan would look at, in a fixed order."""
    from indexer.listing import Chooser, list_root

    found: set[bytes] = set()
    for folder in folders:
        root = os.fsencode(folder.resolve())
        listing = list_root(root, Chooser(exclude, settings.home))
        found.update(root + b"/" + path for path in listing.files)
        for hidden, reason in listing.unknown.items():
            say(f"warning: {os.fsdecode(root + b'/' + hidden)}: {reason}: passed over")
    return sorted(found)
