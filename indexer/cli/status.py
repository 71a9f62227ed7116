"""`indexer status`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from indexer.cli.console import DebugOption, HomeOption, reported_errors
from shared.report import escape

SHOWN = 20
"""Refused files shown to people; `--json` has all."""


def status(
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Show images, clusters, pending and refused files and why, encoder and disk use."""
    with reported_errors(debug):
        from indexer.status import gather
        from shared.errors import LookalikeError
        from shared.settings import load_settings

        settings = load_settings({"home": home})
        if not settings.home.exists():
            raise LookalikeError(
                f"home {settings.home} does not exist: run `indexer watch DIR` first"
            )
        found = gather(settings)
        if json_:
            import json

            typer.echo(json.dumps(found))
        else:
            _print(found)


def _print(found: dict[str, Any]) -> None:
    encoder, disk = found["encoder"], found["disk_bytes"]
    _line("state", found["state"] + (f" (process {found['pid']})" if found["pid"] else ""))
    _line("images", f"{found['images']:,} indexed, {found['backlog']:,} pending")
    if found["partition"] not in (None, "1/1"):
        _line("partition", found["partition"])
    if encoder:
        how = f", k by {encoder['chosen_by']}" if encoder["chosen_by"] else ""
        _line("encoder", f"{encoder['id']} ({encoder['kind']})")
        _line("clusters", f"{encoder['k']} in {encoder['generation']}{how}")
        for label, size in found["clusters"].items():
            share = size / max(1, found["images"])
            _line("", f"{label:>8} {size:>8,} {'█' * round(share * 40)}")
        _print_clustering(found["clustering"])
    else:
        _line("encoder", "none yet" + ("" if found["pid"] else ": run `indexer watch DIR`"))
    if found["next"] and encoder and found["next"]["id"] == encoder["id"]:
        _line("next", f"clusters {found['next']['generation']}: the images are being relabelled")
    elif found["next"]:
        _line("next", f"{found['next']['id']}: {found['next']['images']:,} images so far")
    for root in found["roots"]:
        _line("folder", f"{root['root']}: {root['indexed']:,} indexed, {root['refused']:,} refused")
        if root["suspended"]:
            _line(
                "",
                f"{root['suspended']:,} deletions suspended: `--accept-deletions` carries them out",
            )
        if root["problem"]:
            _line("", root["problem"])
    _line("disk", ", ".join(f"{name} {size / 2**20:,.1f} MiB" for name, size in disk.items()))
    _print_files("refused", found["refused"])
    if found["waiting"]:
        _print_files("waiting", found["waiting"])


def _print_files(state: str, files: list[dict[str, Any]]) -> None:
    _line(state, f"{len(files):,}")
    for file in files[:SHOWN]:
        _line("", f"{file['path']}: {file['reason']}")
    if len(files) > SHOWN:
        _line("", f"... and {len(files) - SHOWN:,} more, see --json")


def _print_clustering(found: dict[str, Any]) -> None:
    if found["imbalance"] is not None:
        fitted = found["fitted_imbalance"]
        when = f", {fitted:.1f} when fitted" if fitted is not None else ""
        _line("balance", f"the largest has {found['imbalance']:.1f} times an even share{when}")
    drift = found["drift"]
    if drift:
        _line(
            "drift",
            f"{drift['images']:,} newer images lie at {drift['ratio']:.2f} times the distance of "
            "those that were fitted",
        )
    why = found["recluster"]["why"]
    if found["recluster"]["waits"]:
        _line("recluster", "judged once the pending images are indexed")
    else:
        _line("recluster", f"`indexer recluster` is worth it: {why}" if why else "no reason to")


def _line(name: str, text: str) -> None:
    typer.echo(escape(f"{name:<9} {text}"))
