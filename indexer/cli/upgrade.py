"""`indexer upgrade`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import (
    DebugOption,
    HomeOption,
    StopSignals,
    indexed_home,
    reported_errors,
    say,
)

if TYPE_CHECKING:
    from shared.settings import Settings


def upgrade(
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="Beginning of an encoder's id.", show_default="the one trained last"
        ),
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Only tell where the upgrade stands.")
    ] = False,
    rollback: Annotated[
        bool,
        typer.Option(
            "--rollback", help="Give up the upgrade, or return to the encoder before the last one."
        ),
    ] = False,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Move to another encoder: fill its collection while the old one answers, then switch."""
    with reported_errors(debug), indexed_home(home):
        from indexer.upgrading import begin, roll_back
        from shared.models import Models
        from shared.settings import load_settings

        if status + rollback + (to is not None) > 1:
            raise typer.BadParameter("--to, --status and --rollback exclude each other")
        settings = load_settings({"home": home})
        models = Models(settings.models)
        finished = True
        if not status:
            pair = roll_back(models) if rollback else begin(models, to)
            finished = _move(settings, pair.encoder)
        _report(settings, json_)
        if not finished:
            say("stopped: the next indexer of this home goes on")
            raise typer.Exit(1)


def _move(settings: Settings, encoder: str) -> bool:
    """Have the encoder answer; False if it was stopped."""
    from indexer.cli.progress import progress
    from indexer.following import until_done
    from indexer.indexing import Indexing
    from indexer.once import scan_once
    from shared.models import Models

    models, shown, stop = Models(settings.models), progress(), StopSignals()

    def answers() -> bool:
        return models.current().encoder == encoder and models.next() is None

    def work(indexing: Indexing) -> None:
        scan_once(indexing, [root.id for root in indexing.home.roots.all()], shown, stop)

    doing = f"moves to {encoder}"
    return until_done(settings, "indexer upgrade", doing, answers, work, shown, stop)


def _report(settings: Settings, as_json: bool) -> None:
    from indexer.upgrading import gather

    found = gather(settings)
    if as_json:
        import json

        typer.echo(json.dumps(found))
        return
    now, following, previous = found["current"], found["next"], found["previous"]
    typer.echo(f"encoder {now['encoder']} answers: {now['images']:,} images")
    if following:
        typer.echo(
            f"encoder {following['encoder']} is being filled: {following['images']:,} images, "
            f"{found['lacking']:,} lacking"
        )
    if previous:
        from datetime import datetime

        until = datetime.fromtimestamp(previous["until"]).astimezone().isoformat(" ", "minutes")
        typer.echo(
            f"encoder {previous['encoder']} is kept until {until}: `indexer upgrade --rollback` "
            "returns to it"
        )
