"""`indexer watch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import (
    DebugOption,
    ExcludeOption,
    HomeOption,
    LogFormat,
    LogFormatOption,
    StopSignals,
    log_to_stderr,
    reported_errors,
)
from indexer.cli.scan import AcceptOption, RootNameOption, choose_roots

if TYPE_CHECKING:
    from indexer.hints import Hints
    from indexer.home import Home


def watch(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR...", help="Folders to add to the remembered ones."),
    ] = None,
    exclude: ExcludeOption = None,
    root_name: RootNameOption = None,
    accept_deletions: AcceptOption = False,
    log_format: LogFormatOption = LogFormat.text,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Keep the index true to the folders until stopped. Trains first where there is no model."""
    with reported_errors(debug):
        from indexer.cli.scan import check_name
        from indexer.hints import Hints
        from indexer.home import Home
        from shared.settings import load_settings

        check_name(root_name, folders)
        log_to_stderr(log_format)
        hints = Hints()
        stop = StopSignals(hints.wake)
        with Home(load_settings({"home": home}), "indexer watch") as opened:
            for root in choose_roots(opened, folders, exclude, root_name, may_be_away=True):
                if accept_deletions:
                    opened.roots.request(root, "accept")
            _watch(opened, hints, stop)


def _watch(home: Home, hints: Hints, stop: StopSignals) -> None:
    import contextlib
    import logging

    from indexer.daemon import Daemon
    from indexer.firstmodel import wait_for_model
    from indexer.heartbeat import beat
    from indexer.indexing import Indexing
    from indexer.space import wait_for_space
    from shared.errors import DiskFull

    beat(home.settings.run)
    if not wait_for_model(home, stop.wait) or not wait_for_space(home, stop.wait):
        return
    for root in home.roots.all():
        logging.info("watching %s", root.id)
    indexing = Indexing(home)
    try:
        Daemon(indexing, hints, stop).run()
        logging.info("stopping")
        with contextlib.suppress(DiskFull):
            indexing.tidy()
    finally:
        indexing.close()
