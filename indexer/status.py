"""What `indexer status` tells, gathered from journal and models without opening the store."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.database import Database
from indexer.drift import judge
from indexer.health import health
from indexer.journal import File, Journal
from indexer.parts import Parts
from indexer.roots import Roots
from shared.daemon_report import DaemonReport, read_report
from shared.errors import NoModel
from shared.lock import holder
from shared.models import Models
from shared.settings import Settings
from shared.types import shown_path

_NO_ROOM_BYTES = 2**16
"""On a disk as full as this the indexer cannot write into the journal that it paused."""


def gather(settings: Settings) -> dict[str, Any]:
    """The state of a home as JSON values. Raises `JournalError` or `ModelError`."""
    models = Models(settings.models)
    at_work = holder(settings.run)
    database = Database(settings.journal)
    try:
        journal, roots = Journal(database), Roots(database)
        counts, encoder = journal.counts(), _encoder(models)
        collection = encoder["id"] if encoder else ""
        said = journal.said()
        report = read_report(settings.run)
        pending = counts["owed"] + counts["unsettled"]
        if report is not None and not any(counts.values()):  # nothing was listed yet
            pending = report.backlog
        clusters = _in_order(journal.cluster_sizes(collection))
        return {
            "home": str(settings.home),
            "state": _state(settings, at_work, report, said),
            "progress": asdict(report.progress) if report and report.progress else None,
            "pid": at_work[1] if at_work else None,
            "partition": settings.partition or Parts(database).remembered(),
            "images": journal.count_points(collection),
            "backlog": pending,
            "encoder": encoder,
            "next": _next(models, journal),
            "clusters": clusters,
            "clustering": _clustering(models, journal, clusters, pending) if encoder else None,
            "roots": _roots(roots, journal),
            "refused": _with_reasons(journal.refused()),
            "waiting": _with_reasons(journal.waiting()),
            "encoded": said[2] if said else 0,
            "reused": said[3] if said else 0,
            "disk_bytes": _disk(settings),
        }
    finally:
        database.close()


def _with_reasons(files: Sequence[File]) -> list[dict[str, Any]]:
    return [
        {"root": file.root, "path": shown_path(file.path), "reason": file.reason} for file in files
    ]


def _state(
    settings: Settings,
    at_work: tuple[str, int] | None,
    report: DaemonReport | None,
    said: tuple[int, str, int, int] | None,
) -> str:
    """What the process at work said of itself, unless it hangs or has not spoken yet."""
    if at_work is None:
        return "not running"
    command, pid = at_work
    if command != "indexer watch":
        return f"busy with `{command}`" + (f": {report.state}" if report else "")
    state = report.state if report else said[1] if said and said[0] == pid else None
    if state is None:
        return "starting"
    with contextlib.suppress(OSError):
        if shutil.disk_usage(settings.home).free < _NO_ROOM_BYTES:
            return "paused: disk full: there is no room to write down more"
    found = health(settings.run, state, live=True)
    return state if found["healthy"] else f"degraded: {found['why']}"


def _encoder(models: Models) -> dict[str, Any] | None:
    try:
        pair = models.current()
    except NoModel:
        return None
    bundle = models.bundle(pair.encoder)
    about = models.about_clustering(pair)
    return {
        "id": pair.encoder,
        "kind": bundle.kind,
        "generation": pair.generation,
        "k": about["k"],
        "chosen_by": about.get("chosen_by"),
        "path": str(bundle.path),
    }


def _clustering(
    models: Models, journal: Journal, sizes: dict[str, int], pending: int
) -> dict[str, Any]:
    """How well the clusters fit what is stored, see `indexer.drift`."""
    pair = models.current()
    prefix = pair.generation + "/"
    return judge(
        models.about_clustering(pair),
        {label: size for label, size in sizes.items() if label.startswith(prefix)},
        journal.arrivals(pair.encoder, pair.generation),
        pending,
    )


def _next(models: Models, journal: Journal) -> dict[str, Any] | None:
    pair = models.next()
    if pair is None:
        return None
    return {
        "id": pair.encoder,
        "generation": pair.generation,
        "images": journal.count_points(pair.encoder),
    }


def _roots(roots: Roots, journal: Journal) -> list[dict[str, Any]]:
    counts = journal.counts_by_root()
    return [
        {
            "root": root.id,
            "folder": shown_path(root.folder),
            "indexed": counts.get(root.id, {}).get("indexed", 0),
            "refused": counts.get(root.id, {}).get("refused", 0),
            "backlog": sum(
                counts.get(root.id, {}).get(state, 0) for state in ("owed", "unsettled")
            ),
            "suspended": root.suspended,
            "problem": root.problem,
            "excludes": list(root.excludes),
        }
        for root in roots.all()
    ]


def _in_order(sizes: dict[str, int]) -> dict[str, int]:
    def number(label: str) -> tuple[str, int]:
        generation, _, cluster = label.partition("/")
        return generation, int(cluster)

    return {label: sizes[label] for label in sorted(sizes, key=number)}


def _disk(settings: Settings) -> dict[str, int]:
    journal = sum(path.stat().st_size for path in settings.home.glob(settings.journal.name + "*"))
    return {
        "models": _folder_bytes(settings.models),
        "store": _folder_bytes(settings.store),
        "journal": journal,
    }


def _folder_bytes(folder: Path) -> int:
    """What the folder takes on disk: files of the store are sparse."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except FileNotFoundError:
                continue  # the store rewrites its files while we look
    return total
