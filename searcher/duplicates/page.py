"""Groups of duplicates as one HTML file with their pictures inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from searcher.drawn.html_parts import STYLE, frame, page, text
from searcher.duplicates.groups import Group, Groups, Member
from searcher.duplicates.report import facts, headline, likeness, remarks, title
from searcher.pictures import indexed_picture
from shared.reading import Limits

MOST_GROUPS = 200
MOST_PICTURES = 24
"""Pictures drawn of one group, and groups drawn: a browser shows a page of 50 MB, no more."""

_STYLE = (
    STYLE
    + """
section + section { margin-top: 2rem; padding-top: 1.5rem; }
h2 { font-size: 1.1rem; margin: 0 0 1rem; }
li.keep .frame { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
)


def write_groups_page(
    found: Groups, roots: Mapping[str, Path], limits: Limits | None = None
) -> str:
    """A complete HTML page: a section for every group, nothing fetched or run. Names are escaped.

    At most `MOST_GROUPS` groups with `MOST_PICTURES` pictures each are drawn, and the page says so.
    """
    limits = limits or Limits()
    notes = remarks(found)
    if len(found.groups) > MOST_GROUPS:
        notes.append(f"Only the first {MOST_GROUPS:,} of {len(found.groups):,} groups are drawn.")
    head = [
        f"<h1>{text(headline(found))}</h1>",
        *(f"<p>{text(note)}</p>" for note in notes),
    ]
    sections = [_section(group, roots, limits) for group in found.groups[:MOST_GROUPS]]
    body = "\n".join([f"<section>\n{chr(10).join(head)}\n</section>", *sections])
    return page("Lookalike: groups", _STYLE, body)


def _section(group: Group, roots: Mapping[str, Path], limits: Limits) -> str:
    drawn = group.members[:MOST_PICTURES]
    items = "\n".join(_item(member, roots, limits) for member in drawn)
    left = len(group.members) - len(drawn)
    note = f"\n<p>{left:,} more are not drawn.</p>" if left else ""
    return f"""<section>
<h2>{text(title(group))}</h2>
<ol class="results">
{items}
</ol>{note}
</section>"""


def _item(member: Member, roots: Mapping[str, Path], limits: Limits) -> str:
    picture = indexed_picture(member.record, roots, limits)
    kind = ' class="keep"' if member.tier is None else ""
    return f"""<li{kind}><figure title="{text(member.record.path)}">
{frame(picture, picture.name)}
<figcaption><b>{text(likeness(member))}</b><span>{text(facts(member))}</span>
<span>{text(picture.name)}</span></figcaption>
</figure></li>"""
