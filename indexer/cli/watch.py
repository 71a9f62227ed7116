"""`indexer watch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import (
    DebugOption,
    ExcludeOption,
    FailFastOption,
    HomeOption,
    LogFormatOption,
    PartitionOption,
    StopSignals,
    log_to_stderr,
    reported_errors,
)
from indexer.cli.scan import AcceptOption, RootNameOption, choose_roots
from shared.log import LogFormat

if TYPE_CHECKING:
    from indexer.hints import Hints
    from indexer.home import Home
    from indexer.service import Service


def watch(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR...", help="Folders to add to the remembered ones."),
    ] = None,
    exclude: ExcludeOption = None,
    root_name: RootNameOption = None,
    accept_deletions: AcceptOption = False,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Run `searcher serve` beside it, for this machine alone."),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="Where --serve answers.", show_default="8765"),
    ] = None,
    partition: PartitionOption = None,
    fail_fast: FailFastOption = False,
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
        if port is not None and not serve:
            raise typer.BadParameter("--port is for --serve: give both")
        log_to_stderr(log_format)
        hints = Hints()
        stop = StopSignals(hints.wake)
        settings = load_settings({"home": home, "partition": partition})
        with Home(settings, "indexer watch") as opened:
            for root in choose_roots(opened, folders, exclude, root_name, may_be_away=True):
                if accept_deletions:
                    opened.roots.request(root, "accept")
            service = _service(opened, port) if serve else None
            _watch(opened, hints, stop, service, fail_fast)


def _service(home: Home, port: int | None) -> Service:
    import logging

    from indexer.service import DEFAULT_PORT, Service

    service = Service(home.settings.home, port or DEFAULT_PORT)
    logging.info("serving %s", service.address)
    return service


def _watch(
    home: Home, hints: Hints, stop: StopSignals, service: Service | None, fail_fast: bool
) -> None:
    from shared.daemon_report import remove_report
    from shared.heartbeat import beat

    run = home.settings.run
    beat(run)
    remove_report(run)  # a daemon that was killed may have had this very process id
    try:
        _index(home, hints, stop, service, fail_fast)
    finally:
        remove_report(run)


def _index(
    home: Home, hints: Hints, stop: StopSignals, service: Service | None, fail_fast: bool
) -> None:
    import contextlib
    import logging

    from indexer.away import wait_for_store
    from indexer.daemon import Daemon
    from indexer.firstmodel import wait_for_model
    from indexer.indexing import Indexing
    from indexer.space import wait_for_space
    from shared.errors import DiskFull

    if not wait_for_model(home, stop.wait) or not wait_for_space(home, stop.wait):
        return
    opened = Indexing(home, stays=True) if fail_fast else wait_for_store(home, stop.wait)
    if opened is None:
        return
    for root in home.roots.all():
        logging.info("watching %s", root.id)
    with contextlib.closing(opened) as indexing, service or contextlib.nullcontext():
        # The service is begun only now: before, it would become the store's owner.
        Daemon(indexing, hints, stop).run()
        logging.info("stopping")
        if service is not None:
            service.stop()
        with contextlib.suppress(DiskFull):
            indexing.tidy()
