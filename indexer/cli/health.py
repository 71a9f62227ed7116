"""`indexer health`."""

from __future__ import annotations

from typing import Annotated

import typer

from indexer.cli.console import DebugOption, HomeOption, reported_errors


def health(
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask only whether it runs and moves, not how it is doing."),
    ] = False,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Tell probes whether the daemon is well: exit code 0 if it is, 1 if not."""
    with reported_errors(debug):
        from indexer.database import Database
        from indexer.health import health as examine
        from indexer.journal import Journal
        from shared.settings import load_settings

        settings = load_settings({"home": home})
        state = "not running"
        if settings.journal.exists():
            database = Database(settings.journal)
            said = Journal(database).said()
            database.close()
            state = said[1] if said else "starting"
        found = examine(settings.run, state, live=live)
        if json_:
            import json

            typer.echo(json.dumps(found))
        else:
            typer.echo(found["state"] if found["healthy"] else f"not healthy: {found['why']}")
        if not found["healthy"]:
            raise typer.Exit(1)
