"""`indexer backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer.cli.console import (
    DebugOption,
    HomeOption,
    StopSignals,
    indexed_home,
    reported_errors,
    say,
)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file if it is there already.")
    ] = False,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Write models, points, journal and settings into one file. Pictures are not in it."""
    with reported_errors(debug), indexed_home(home):
        from indexer.backup.making import make_backup
        from indexer.cli.progress import progress
        from shared.settings import load_settings

        settings = load_settings({"home": home})
        made = make_backup(settings, file.absolute(), progress(), StopSignals(), force=force)
        if made is None:
            say("stopped: nothing was written")
            raise typer.Exit(1)
        if json_:
            import json

            found = {"file": str(file.absolute()), "bytes": made.bytes}
            typer.echo(json.dumps(found | {"points": made.manifest.points}))
        else:
            say(f"{made.manifest.points:,} points and the models, {made.bytes / 1e6:,.1f} MB")
