"""`indexer recluster`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from indexer.cli.console import (
    DebugOption,
    HomeOption,
    StopSignals,
    indexed_home,
    reported_errors,
    say,
)


def recluster(
    k: Annotated[str, typer.Option("--k", help="Number of clusters, or auto: the elbow.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same clusters.")] = 0,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Fit new clusters on the stored vectors and move to them, without downtime."""
    with reported_errors(debug), indexed_home(home):
        from indexer.cli.encoder_options import cluster_count
        from indexer.cli.progress import progress
        from indexer.partition import require_leader
        from indexer.parts import with_remembered_part
        from indexer.recluster import fit_next, make_answer, told, waiting
        from shared.models import Models
        from shared.settings import load_settings

        wanted = cluster_count(k)
        settings = with_remembered_part(load_settings({"home": home}))
        require_leader(settings, "recluster")
        models = Models(settings.models)
        pair = waiting(models, wanted, seed)
        if pair is not None:
            say(f"going on with {pair.generation}, which an earlier call fitted")
        else:
            pair = fit_next(settings, wanted, seed, debug=debug)
        stop = StopSignals()  # until here, Ctrl-C ends the fit and nothing is left of it
        finished = make_answer(settings, pair, progress(), stop)
        _report(told(models, pair), json_)
        if not finished:
            say(f"stopped: the next indexer of this home goes on with {pair.generation}")
            raise typer.Exit(1)


def _report(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(found))
        return
    from indexer.cli.train_report import report_sizes

    typer.echo(f"{found['generation']} of encoder {found['encoder']}: {found['images']:,} images")
    report_sizes(found["generation"], found["sizes"], found["chosen_by"])
    for folder in sorted({path.rpartition("/")[0] for path in found["figures"]}):
        typer.echo(f"figures in {folder}")
    if found["current"]:
        typer.echo(f"{found['generation']} answers now")
