"""What `indexer train` tells at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from indexer.cli.console import say
from indexer.training.training import TrainingResult
from shared.models import Models

if TYPE_CHECKING:
    from indexer.training.clusters import ClusteringResult


def report(
    result: TrainingResult | ClusteringResult, models: Models, *, waits: bool, as_json: bool
) -> None:
    """Print what came out, as JSON or for people. `waits`: an older encoder answers until the new
    one's collection is whole."""
    bundle = models.bundle(result.pair.encoder)
    metrics = bundle.manifest["metrics"]
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
            "metrics": metrics,
            "bundle": str(bundle.path),
            "figures": [str(path) for path in result.figures],
        }
        typer.echo(json.dumps(value))
        return
    typer.echo(_headline(result, metrics))
    report_sizes(result.pair.generation, result.sizes, result.chosen_by)
    for folder in sorted({path.parent for path in result.figures}):
        typer.echo(f"figures in {folder}")
    for path, reason in result.refused:
        say(f"refused {os.fsdecode(path)}: {reason}")
    if waits:
        say(
            "the old encoder answers until `indexer scan` or `indexer watch` has filled the new one"
        )


def _headline(result: TrainingResult | ClusteringResult, metrics: Mapping[str, Any]) -> str:
    encoder, images = result.pair.encoder, f"{result.images:,} images"
    if not isinstance(result, TrainingResult):
        return f"encoder {encoder}, as it ships, with clusters of {images}"
    loss, started = metrics.get("val_loss"), metrics.get("started_from")
    precision = metrics.get("val_p_at_10")
    return (
        f"encoder {encoder} trained on {images}"
        + (f", validation loss {loss:.5f}" if loss is not None else "")
        + (f", P@10 of held-out pictures {precision:.3f}" if precision is not None else "")
        + (
            f", going on from the encoder that ships ({started})"
            if started not in (None, "pca")
            else ""
        )
    )


_SHOWN = 20
"""Clusters shown to people; `--json` has all."""


def report_sizes(generation: str, sizes: Sequence[int], chosen_by: str) -> None:
    """Each cluster's size and share, largest first."""
    noun = "cluster" if len(sizes) == 1 else "clusters"
    typer.echo(f"{len(sizes)} {noun} (k: {chosen_by}), largest first")
    largest = sorted(enumerate(sizes), key=lambda entry: -entry[1])
    for number, size in largest[:_SHOWN]:
        share = size / max(1, sum(sizes))
        label = f"{generation}/{number}"
        typer.echo(f"{label:>8} {size:>8,} {100 * share:>4.0f} % {'█' * round(share * 40)}")
    if len(largest) > _SHOWN:
        typer.echo(f"{'...':>8} and {len(largest) - _SHOWN:,} more, see --json")
