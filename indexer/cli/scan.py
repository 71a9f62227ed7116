"""`indexer scan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import (
    DebugOption,
    ExcludeOption,
    FailFastOption,
    HomeOption,
    PartitionOption,
    StopSignals,
    reported_errors,
    say,
)

if TYPE_CHECKING:
    from indexer.home import Home
    from indexer.once import Scanned
    from indexer.pipeline import Tally
    from shared.settings import Settings

RootNameOption = Annotated[
    str | None,
    typer.Option(
        help="Call the folder by this name, so that it can move.", show_default="its full path"
    ),
]
AcceptOption = Annotated[
    bool,
    typer.Option(
        "--accept-deletions", help="Carry out the deletions that an earlier scan suspended."
    ),
]


def scan(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR...", help="Folders of pictures; default: all remembered."),
    ] = None,
    exclude: ExcludeOption = None,
    root_name: RootNameOption = None,
    accept_deletions: AcceptOption = False,
    partition: PartitionOption = None,
    fail_fast: FailFastOption = False,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Index folders once and stop. Fits clusters for the encoder that ships where no model is."""
    with reported_errors(debug):
        from indexer.firstmodel import make_model
        from indexer.home import Home
        from shared.lock import is_running
        from shared.settings import load_settings

        check_name(root_name, folders)
        settings = load_settings({"home": home, "partition": partition})
        if accept_deletions and is_running(settings.run):
            ask_running(settings, folders)
            return
        stop = StopSignals()
        with Home(settings, "indexer scan") as opened:
            chosen = choose_roots(opened, folders, exclude, root_name)
            if not make_model(opened, stop.wait):
                raise typer.Exit(1)
            if accept_deletions:
                for root in chosen:
                    opened.roots.request(root, "accept")
            _scan(opened, chosen, stop, fail_fast, json_)


def choose_roots(
    home: Home,
    folders: list[Path] | None,
    exclude: list[str] | None,
    name: str | None,
    *,
    may_be_away: bool = False,
) -> list[str]:
    """Remember the folders and return their root ids; without folders, all remembered ones."""
    from shared.errors import RootError

    if folders:
        chosen = home.remember(folders, excludes=exclude, name=name, may_be_away=may_be_away)
        return [root.id for root in chosen]
    roots = [root.id for root in home.roots.all()]
    if not roots:
        raise RootError("no folder was given and none is remembered: name one")
    return roots


def ask_running(settings: Settings, folders: list[Path] | None) -> None:
    """Let the running indexer carry out suspended deletions."""
    from indexer.database import Database
    from indexer.roots import Roots, find_root

    database = Database(settings.journal)
    roots = Roots(database)
    known = roots.all()
    chosen = [find_root(known, str(folder)) for folder in folders] if folders else known
    for root in chosen:
        roots.request(root.id, "accept")
    database.close()
    say("the running indexer was asked to carry out the suspended deletions")


def _scan(home: Home, roots: list[str], stop: StopSignals, fail_fast: bool, as_json: bool) -> None:
    from indexer.cli.progress import progress
    from indexer.indexing import Indexing
    from indexer.once import scan_once
    from shared.daemon_report import remove_report

    run = home.settings.run
    remove_report(run)  # a process that was killed may have had this very id
    indexing = Indexing(home, stays=fail_fast)
    try:
        scanned = scan_once(indexing, roots, progress(), stop)
        tally, images = (
            indexing.tally,
            home.journal.count_points(indexing.targets.current.collection),
        )
    finally:
        remove_report(run)
        indexing.close()
    _report(scanned, tally, images, as_json)
    if scanned.stopped:
        say("stopped: the next scan goes on with what is pending")
        raise typer.Exit(1)


def _report(scanned: Scanned, tally: Tally, images: int, as_json: bool) -> None:
    if as_json:
        import json

        value = {
            "images": images,
            "indexed": tally.indexed,
            "encoded": tally.encoded,
            "reused": tally.reused,
            "refused": tally.refused,
            "waiting": tally.waiting,
            "deleted": scanned.deleted,
            "suspended": scanned.suspended,
            "unfinished": scanned.unfinished,
            "problems": scanned.problems,
        }
        typer.echo(json.dumps(value))
        return
    typer.echo(
        f"{images:,} images indexed: {tally.indexed:,} new or changed, {scanned.deleted:,} deleted"
        f", {tally.refused:,} refused"
    )
    if tally.waiting:
        say(
            f"warning: {tally.waiting:,} files could not be read and wait: `indexer status` lists "
            "them, and the next scan tries again"
        )
    if tally.refused:
        say("`indexer status` lists what was refused and why")
    for problem in scanned.problems:
        say(f"warning: {problem}")
    if scanned.suspended:
        say(
            f"warning: {scanned.suspended:,} files are gone, too many to believe: their points "
            "stay until `indexer scan --accept-deletions`"
        )
    if scanned.unfinished:
        say(f"warning: {scanned.unfinished:,} files are still being written: scan again later")
    if scanned.activated:
        say(f"encoder {scanned.activated.encoder} now answers")


def check_name(name: str | None, folders: list[Path] | None) -> None:
    """Refuse `--root-name` for anything but one folder."""
    if name is not None and len(folders or []) != 1:
        raise typer.BadParameter(
            f"names one folder, {len(folders or [])} were given", param_hint="--root-name"
        )
