"""`indexer migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import DebugOption, HomeOption, StopSignals, reported_errors, say
from shared.report import escape

if TYPE_CHECKING:
    from indexer.moving.migrating import Moved
    from shared.settings import Settings


def migrate(
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The Qdrant server.", show_default="the setting qdrant_url"
        ),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="From the server back into the embedded store.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="With --reverse: delete what the embedded store has besides."),
    ] = False,
    switch: Annotated[
        bool,
        typer.Option(
            "--switch/--no-switch", help="Have settings.toml name the new store at the end."
        ),
    ] = True,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Which vectors are compared at the end.")
    ] = 0,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Move all points to a Qdrant server, or back, and use it. Begun again, it goes on."""
    if reverse and to:
        raise typer.BadParameter(
            f"it goes back from the server that the home uses: `indexer migrate --reverse`, with "
            f"LOOKALIKE_QDRANT_URL={to} if its settings.toml names none",
            param_hint="--reverse",
        )
    if prune and not reverse:
        raise typer.BadParameter("a server may hold points of others", param_hint="--prune")
    with reported_errors(debug):
        from shared.settings import load_settings

        settings = load_settings({"home": home, "qdrant_url": to})
        moved = _move(settings, reverse, prune, seed)
        if moved is None:
            say("stopped: what was copied stays, the same command goes on")
            raise typer.Exit(1)
        switched = switch and _switch(settings, None if reverse else settings.qdrant_url)
        if json_:
            import dataclasses
            import json

            found = [dataclasses.asdict(one) for one in moved]
            typer.echo(json.dumps({"collections": found, "seed": seed, "switched": switched}))
        else:
            _print(settings, moved, reverse, seed)


def _move(settings: Settings, reverse: bool, prune: bool, seed: int) -> list[Moved] | None:
    from indexer.cli.progress import progress
    from indexer.home import Home
    from indexer.moving.migrating import both_hubs, migrate
    from shared.errors import StoreAway

    shown, stop = progress(), StopSignals()
    with Home(settings, "indexer migrate") as home:
        try:
            with both_hubs(settings, reverse=reverse) as (source, target):
                return migrate(home, source, target, shown, stop, prune=prune, seed=seed)
        except StoreAway:
            say("what was copied stays: once the server answers, the same command goes on")
            raise


def _switch(settings: Settings, url: str | None) -> bool:
    """Write the setting and say what else there is to do; whether the home uses the new store."""
    from indexer.moving.switching import setting_line, switch
    from shared.settings import FILE_NAME, load_settings

    path = settings.home / FILE_NAME
    if load_settings({"home": settings.home}).qdrant_url != url and not switch(settings.home, url):
        line = f"put {setting_line('qdrant_url', url)} into" if url else "take qdrant_url out of"
        say(f"{path} cannot be changed: {line} it")
        return False
    if load_settings({"home": settings.home}).qdrant_url != url:
        what = f"set it to {url}" if url else "unset it"
        say(f"the environment's LOOKALIKE_QDRANT_URL wins over {path}: {what}")
        return False
    say(f"from now on this home uses {url or 'its embedded store'}: restart running searchers")
    return True


def _print(settings: Settings, moved: list[Moved], reverse: bool, seed: int) -> None:
    for one in moved:
        _line(
            f"{one.points:,} points of encoder {one.collection} are there, {one.written:,} of them "
            f"copied now; every record was compared, and {one.sampled:,} vectors (seed {seed}): "
            f"lowest cosine {one.lowest:.6f}"
        )
        if one.pruned:
            _line(f"deleted {one.pruned:,} points that the embedded store had besides")
        if one.absent:
            _line(f"{one.absent:,} points were missing: `indexer scan` indexes them again")
        if one.extra and reverse:
            _line(
                f"{one.extra:,} points of the embedded store were not on the server: the next "
                "`indexer scan` deletes those that the journal does not know, --prune does it now"
            )
        elif one.extra:
            _line(f"{one.extra:,} more points are there, of other indexers: they stay")
    if not reverse:
        _line(f"the embedded store stays in {settings.store}: delete it when all is well")


def _line(text: str) -> None:
    typer.echo(escape(text))
