"""`indexer restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import DebugOption, HomeOption, StopSignals, reported_errors, say

if TYPE_CHECKING:
    from indexer.backup.restoring import Restored
    from shared.settings import Settings


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `indexer backup` wrote.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Put aside what the home holds; replace points on a server."),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only tell whether the file is whole.")
    ] = False,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Make a home from a backup, in the store that the settings name. All of it, or nothing."""
    with reported_errors(debug):
        from indexer.backup.restoring import check_backup
        from indexer.backup.restoring import restore as run
        from indexer.cli.progress import progress
        from shared.settings import load_settings

        shown, stop = progress(), StopSignals()
        settings = load_settings({"home": home})
        if check:
            whole = check_backup(file, shown, stop)
            if whole is not None:
                say(f"{file} is whole: {whole.points:,} points, made {whole.made_at}")
                return
        restored = None if check else run(settings, file, shown, stop, force=force)
        if restored is None:
            say("stopped: the home is as it was")
            raise typer.Exit(1)
        if json_:
            import dataclasses
            import json

            typer.echo(json.dumps(dataclasses.asdict(restored)))
        else:
            _print(settings, restored)


def _print(settings: Settings, restored: Restored) -> None:
    where = settings.qdrant_url or "the embedded store"
    say(f"{restored.points:,} points in {where}, everything else in {settings.home}")
    if restored.left_out:
        names = ", ".join(restored.left_out)
        say(f"not taken over, for they name places of the old machine: {names}")
    if restored.aside:
        say(f"what was there before is in {', '.join(restored.aside)}")
    say("`indexer scan` now brings it up to date; see docs/moving.md if the pictures moved")
