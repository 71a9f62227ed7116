"""`indexer doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.cli.console import DebugOption, HomeOption, StopSignals, indexed_home, reported_errors
from shared.report import escape

if TYPE_CHECKING:
    from indexer.checkup import Report

SHOWN = 20
"""Findings of a kind shown to people; `--json` has all."""


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what is wrong.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file and compare its content.")
    ] = False,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Compare disk, journal and store. Exit code 1 if something is wrong.

    Refused files and suspended deletions are listed; they are not wrong.
    """
    with reported_errors(debug), indexed_home(home):
        from indexer.checkup import check_up
        from indexer.cli.progress import progress
        from indexer.parts import with_remembered_part
        from shared.settings import load_settings

        settings = with_remembered_part(load_settings({"home": home}))
        report = check_up(settings, progress(), StopSignals(), repair=repair, deep=deep)
        if json_:
            import json

            typer.echo(json.dumps(_as_json(report)))
        else:
            _print(report)
        if not report.diagnosis.is_well:
            raise typer.Exit(1)


def _as_json(report: Report) -> dict[str, Any]:
    from indexer.doctor import findings_by_kind
    from shared.types import shown_path

    found = report.diagnosis
    kinds = findings_by_kind(found.findings)
    return {
        "well": found.is_well,
        "files": found.files,
        "points": found.points,
        "others": found.others,
        **{
            kind: [
                {"root": one.root, "path": shown_path(one.path), "id": one.id, "why": one.why}
                for one in findings
            ]
            for kind, findings in kinds.items()
        },
        **{
            name: [
                {"root": file.root, "path": shown_path(file.path), "reason": file.reason}
                for file in files
            ]
            for name, files in (("refused", found.refused), ("waiting", found.waiting))
        },
        **{
            name: [{"root": root, "path": shown_path(path)} for root, path in sorted(keys)]
            for name, keys in (("suspended", found.suspended), ("unknown", found.unknown))
        },
        "notes": found.notes,
        "problems": found.problems,
        "actions": report.actions if report.repaired else None,
    }


def _print(report: Report) -> None:
    found = _as_json(report)
    others = f", {found['others']:,} of other indexers" if found["others"] else ""
    _line(f"{found['files']:,} files on disk, {found['points']:,} points in the store{others}")
    for action in report.actions:
        _line(f"repaired: {action}")
    for note in found["notes"]:
        _line(f"note: {note}")
    for problem in found["problems"]:
        _line(f"wrong: {problem}")
    for kind, verb in (
        ("missing", "wrong: not in the store though they are on disk"),
        ("orphaned", "wrong: in the store though they are not on disk"),
        ("stale", "wrong: in the store, but not as they should be"),
        ("suspended", "suspended: gone from disk, their deletion waits to be accepted"),
        ("unknown", "unknown: cannot be looked at now, their points stay"),
        ("waiting", "waiting: cannot be read now, and are tried again"),
        ("refused", "refused: cannot be used"),
    ):
        _print_list(f"{len(found[kind]):,} {verb}", found[kind])
    _line("all is well" if found["well"] else "something is wrong" + _remedy(report))


def _print_list(title: str, items: list[dict[str, Any]]) -> None:
    if not items:
        return
    _line(title)
    for item in items[:SHOWN]:
        why = item.get("why") or item.get("reason")
        _line(f"  {item['path']}" + (f": {why}" if why else ""))
    if len(items) > SHOWN:
        _line(f"  ... and {len(items) - SHOWN:,} more, see --json")


def _remedy(report: Report) -> str:
    if report.repaired:
        return ""
    if not report.diagnosis.findings:
        return ": see above"
    return ": `indexer doctor --repair` repairs it"


def _line(text: str) -> None:
    typer.echo(escape(text))
