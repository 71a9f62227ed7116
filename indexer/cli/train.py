"""`indexer train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import DebugOption, ExcludeOption, HomeOption, reported_errors, say

if TYPE_CHECKING:
    pass


if TYPE_CHECKING:
    from indexer.training.training import TrainingResult
    from shared.models import Pair
    from shared.settings import Settings


def train(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of pictures.")],
    k: Annotated[str, typer.Option("--k", metavar="auto|N", help="Clusters.")] = "auto",
    epochs: Annotated[int, typer.Option(min=1, help="Most passes through the pictures.")] = 50,
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
    exclude: ExcludeOption = None,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Fit an encoder and its clusters on folders of pictures, and draw how it went."""
    with reported_errors(debug):
        from indexer.cli.progress import progress
        from indexer.training import require_extra
        from indexer.training.training import TrainingConfig
        from indexer.training.training import train as run_training
        from shared.models import Models
        from shared.reading import Limits
        from shared.settings import load_settings

        wanted = _clusters(k)
        require_extra()
        settings = load_settings({"home": home})
        result = run_training(
            _pictures(folders, exclude or [], settings),
            Models(settings.models),
            TrainingConfig(
                epochs=epochs,
                seed=seed,
                k=wanted,
                validation_share=validation_share,
                batch_size=batch_size,
                patience=patience,
                save_h5=save_h5,
                from_model=from_model,
                workers=settings.workers,
            ),
            progress(),
            Limits(settings.max_pixels, settings.max_file_bytes),
        )
        waits = _activate(settings, result.pair)
        _report(result, waits, json_)


def _clusters(k: str) -> int | None:
    if k == "auto":
        return None
    if not k.isdecimal() or int(k) < 1:
        raise typer.BadParameter(
            f"{k!r} is neither auto nor a whole number from 1", param_hint="--k"
        )
    return int(k)


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


def _report(result: TrainingResult, waits: bool, as_json: bool) -> None:
    if as_json:
        import json

        value = {
            "encoder": result.pair.encoder,
            "generation": result.pair.generation,
            "current": not waits,
            "k": result.k,
            "chosen_by": result.chosen_by,
            "sizes": list(result.sizes),
            "images": result.images,
            "refused": [
                {"path": os.fsdecode(path), "reason": reason} for path, reason in result.refused
            ],
            "metrics": dict(result.metrics),
            "bundle": str(result.bundle),
            "figures": [str(path) for path in result.figures],
        }
        typer.echo(json.dumps(value))
        return
    loss = result.metrics.get("val_loss")
    typer.echo(
        f"encoder {result.pair.encoder} trained on {result.images:,} images"
        + (f", validation loss {loss:.5f}" if loss is not None else "")
    )
    typer.echo(
        f"{result.k} clusters ({result.chosen_by}) of {min(result.sizes):,} to "
        f"{max(result.sizes):,} images"
    )
    for folder in sorted({path.parent for path in result.figures}):
        typer.echo(f"figures in {folder}")
    for path, reason in result.refused:
        say(f"refused {os.fsdecode(path)}: {reason}")
    if waits:
        say(
            "the old encoder answers until `indexer scan` or `indexer watch` has filled the new one"
        )
