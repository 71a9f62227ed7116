"""`indexer train`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.cli.console import DebugOption, ExcludeOption, HomeOption, reported_errors, say

if TYPE_CHECKING:
    from indexer.training.configs import EncoderConfig
    from shared.models import Pair
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
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 32,
    validation_share: Annotated[
        float, typer.Option(min=0.01, max=0.5, help="Share of the pictures held out.")
    ] = 0.15,
    patience: Annotated[
        int, typer.Option(min=1, help="Stop after so many epochs without a lower loss.")
    ] = 10,
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
    with reported_errors(debug):
        from indexer.cli.progress import progress
        from indexer.cli.train_report import report
        from indexer.training import require_extra
        from indexer.training.training import TrainingConfig
        from indexer.training.training import train as run_training
        from shared.models import Models
        from shared.reading import Limits
        from shared.settings import load_settings

        wanted = _clusters(k)
        require_extra()
        settings = load_settings({"home": home})
        models, limits = (
            Models(settings.models),
            Limits(settings.max_pixels, settings.max_file_bytes),
        )
        paths = _pictures(folders, exclude or [], settings)
        if starter_only:
            from indexer.starter import install
            from indexer.training.clusters import ClusterConfig, cluster_pictures

            config = ClusterConfig(k=wanted, seed=seed, workers=settings.workers)
            bundle = install(models)
            fitted = cluster_pictures(paths, bundle, models, config, progress(), limits)
            report(fitted, models, waits=_activate(settings, fitted.pair), as_json=json_)
            return
        result = run_training(
            paths,
            models,
            TrainingConfig(
                encoder=_encoder(
                    encoder,
                    {
                        "from_model": from_model,
                        "save_h5": save_h5,
                        "variant": variant,
                        "weights": weights,
                        "fine_tune": fine_tune,
                        "labels": labels,
                        "start": start,
                        "mining": mining,
                        "margin": margin,
                        "folders": tuple(folders) if encoder == "triplet" else (),
                    },
                ),
                epochs=epochs,
                seed=seed,
                k=wanted,
                validation_share=validation_share,
                batch_size=batch_size,
                patience=patience,
                save_h5=save_h5,
                from_model=from_model,
                workers=settings.workers,
                fresh=fresh,
                starter=not from_scratch,
            ),
            progress(),
            limits,
        )
        report(result, models, waits=_activate(settings, result.pair), as_json=json_)


def _clusters(k: str) -> int | None:
    if k == "auto":
        return None
    if not k.isdecimal() or int(k) < 1:
        raise typer.BadParameter(
            f"{k!r} is neither auto nor a whole number from 1", param_hint="--k"
        )
    return int(k)


_AUTOENCODERS, _EFFICIENTNET = ("autoencoder", "autoencoder-plain"), ("efficientnet",)
_TRIPLET = ("triplet",)

_BELONGS = {
    "from_model": _AUTOENCODERS,
    "save_h5": _AUTOENCODERS,
    "variant": _EFFICIENTNET,
    "weights": _EFFICIENTNET,
    "fine_tune": _EFFICIENTNET,
    "labels": _TRIPLET,
    "start": _TRIPLET,
    "mining": _TRIPLET,
    "margin": _TRIPLET,
    "folders": _TRIPLET,
}
"""The options that only some kinds of encoder have."""


def _encoder(kind: str, options: Mapping[str, Any]) -> EncoderConfig:
    """The kind's configuration. `options`: those of `_BELONGS`, None or False if not given."""
    from indexer.training.configs import KINDS
    from shared.errors import TrainingError

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="--encoder")
    given = {name: value for name, value in options.items() if not _is_absent(value)}
    for name in given:
        if kind not in _BELONGS[name]:
            raise typer.BadParameter(
                f"only with --encoder {' or '.join(_BELONGS[name])}, not {kind}",
                param_hint=f"--{name.replace('_', '-')}",
            )
    fields = KINDS[kind].__dataclass_fields__
    try:
        return KINDS[kind](**{name: given[name] for name in given if name in fields})
    except TrainingError as error:
        raise typer.BadParameter(str(error)) from error


def _is_absent(value: Any) -> bool:
    return value is None or value is False or value == ()  # a margin of 0 was given


def _pictures(folders: list[Path], exclude: list[str], settings: Settings) -> list[bytes]:
    """Every file below the folders that a scan would look at, in a fixed order."""
    from indexer.listing import Chooser, list_root

    found: set[bytes] = set()
    for folder in folders:
        root = os.fsencode(folder.resolve())
        listing = list_root(root, Chooser(exclude, settings.home))
        found.update(root + b"/" + path for path in listing.files)
        for hidden, reason in listing.unreadable.items():
            say(f"warning: {os.fsdecode(root + b'/' + hidden)}: {reason}: passed over")
    return sorted(found)


def _activate(settings: Settings, pair: Pair) -> bool:
    """Make the pair current, or the next one where points answer already; whether it waits."""
    from indexer.database import Database
    from indexer.journal import Journal
    from shared.errors import NoModel
    from shared.models import Models

    models = Models(settings.models)
    try:
        answering = models.current()
    except NoModel:
        models.set_current(pair)
        return False
    points = 0
    if settings.journal.exists():
        database = Database(settings.journal)
        points = Journal(database).count_points(answering.encoder)
        database.close()
    if points:
        models.set_next(pair)
        return True
    models.set_current(pair)
    return False
