"""What lies beside a vector."""

from __future__ import annotations

from shared.points import point_id
from shared.types import ImageRecord


def record(number: int, label: str) -> ImageRecord:
    """A payload as long as real ones are."""
    folder, name = f"{number // 1000:03d}", f"{number:06d}.jpg"
    return ImageRecord(
        id=point_id("bench", f"{folder}/{name}".encode()),
        root="bench",
        path=f"{folder}/{name}",
        folders=(folder,),
        cluster=(label,),
        sha256=f"{number:064x}",
        phash=f"{number:016x}",
        width=640,
        height=480,
        format="JPEG",
        bytes=100_000,
        mtime=1_700_000_000.0,
        taken_at=None,
        indexed_at="2026-11-24T00:00:00+00:00",
        encoder="bench",
    )
