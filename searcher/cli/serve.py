"""`searcher serve`: the HTTP service and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from searcher.cli.console import DebugOption, HomeOption, reported_errors, say
from shared.log import LogFormat


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than loopback need --api-keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8765,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1,
    api_keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask for an API key; FILE holds one a line."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody in the network see the pictures.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A host name this service answers to; repeatable."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A site whose scripts may ask; repeatable."),
    ] = None,
    keep_positions: Annotated[
        bool,
        typer.Option(
            "--keep-positions", help="Send pictures to other machines with the place in them."
        ),
    ] = False,
    thumbnails: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where thumbnails are kept. [default: in the home]"),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Log lines for people or for machines.")
    ] = LogFormat.text,
    until_closed: Annotated[int | None, typer.Option(metavar="FD", hidden=True)] = None,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Answer questions over HTTP, and show a page in the browser, until stopped.

    Only this machine can reach it unless --host says otherwise.
    """
    with reported_errors(debug):
        from searcher.service.keys import read_keys
        from searcher.service.log import Log
        from searcher.service.policy import Policy
        from searcher.service.running import serve as run
        from searcher.service.running import stop_when_closed
        from shared.settings import load_settings

        policy = Policy(
            host=host,
            port=port,
            workers=workers,
            keys=() if api_keys is None else read_keys(api_keys),
            hosts=tuple(allow_host or ()),
            origins=tuple(allow_origin or ()),
            keep_positions=keep_positions,
            thumbnails=thumbnails,
        )
        policy.check(insecure=insecure)
        log = Log(log_format, debug)
        log.begin()
        if until_closed is not None:
            stop_when_closed(until_closed)
        run(load_settings({"home": home}), policy, _quiet if until_closed else _tell, log)


def _tell(address: str) -> None:
    say(f"serving {address}")


def _quiet(_address: str) -> None:
    """Whoever started this process has said the address."""
