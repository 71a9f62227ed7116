"""Groups of duplicates as JSON, and as a table for people."""

from __future__ import annotations

from typing import Any

from searcher.duplicates.groups import Group, Groups, Member
from shared.report import escape

_SCORE_DIGITS = 6
KEEPING = (
    "The largest picture of a group comes first, as the one to keep: only a suggestion. "
    "Nothing was deleted or changed."
)


def groups_json(found: Groups) -> dict[str, Any]:
    """The groups as JSON values; `saving` is None where the images are only similar."""
    return {
        "total": found.total,
        "unread": found.unread,
        "saving": found.saving,
        "groups": [
            {
                "tier": group.tier,
                "saving": group.saving,
                "images": [_member_json(member) for member in group.members],
            }
            for group in found.groups
        ],
    }


def _member_json(member: Member) -> dict[str, Any]:
    record = member.record
    return {
        "root": record.root,
        "path": record.path,
        "id": record.id,
        "score": round(member.score, _SCORE_DIGITS),
        "tier": member.tier,
        "width": record.width,
        "height": record.height,
        "format": record.format,
        "bytes": record.bytes,
    }


def size(count: int) -> str:
    """``"1.2 MB"``: bytes in decimal units, as file managers show them."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"


def headline(found: Groups) -> str:
    """``15,595 images · 31 groups with 64 images · 210 kB in copies``."""
    images = sum(len(group.members) for group in found.groups)
    if not found.groups:
        return f"{_counted(found.total, 'image')} · no groups"
    return (
        f"{_counted(found.total, 'image')} · {_counted(len(found.groups), 'group')} with "
        f"{_counted(images, 'image')} · {size(found.saving)} in copies"
    )


def title(group: Group) -> str:
    """``near · 3 images · 34 kB in copies``."""
    line = f"{group.tier} · {_counted(len(group.members), 'image')}"
    return line if group.saving is None else f"{line} · {size(group.saving)} in copies"


def likeness(member: Member) -> str:
    """``near 0.931``, or ``keep?`` for the first of a group."""
    return "keep?" if member.tier is None else f"{member.tier} {member.score:.3f}"


def facts(member: Member) -> str:
    """``128 x 171 · 12 kB``."""
    return f"{member.record.width} x {member.record.height} · {size(member.record.bytes)}"


def remarks(found: Groups) -> list[str]:
    """What must be known to read the groups."""
    lines = []
    if found.unread:
        lines.append(
            f"{_counted(found.unread, 'file')} could not be read as indexed: their altered "
            "copies are not all found. `indexer scan` brings the index up to date."
        )
    return [*lines, KEEPING] if found.groups else lines


def groups_table(found: Groups) -> str:
    """A block for every group, a line for every image; each names its root if several do."""
    roots = {member.record.root for group in found.groups for member in group.members}
    lines = [headline(found)]
    if len(roots) == 1:
        lines.append(f"in {escape(min(roots))}")
    for group in found.groups:
        lines += ["", title(group)]
        cells = [(likeness(member), facts(member)) for member in group.members]
        first, second = (max(map(len, column)) for column in zip(*cells, strict=True))
        for member, (like, fact) in zip(group.members, cells, strict=True):
            root = f"{member.record.root}  " if len(roots) > 1 else ""
            name = escape(root + member.record.path)
            lines.append(f"  {like.ljust(first)}  {fact.ljust(second)}  {name}")
    notes = remarks(found)
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
