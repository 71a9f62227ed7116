"""Writes queries with their results as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from searcher.pictures import Asked, Picture, result_picture
from searcher.render import found_in, shortfall
from shared.images import jpeg_bytes
from shared.reading import Limits
from shared.report import escape
from shared.types import ScoredImage

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1e; --quiet: #6e6e74; --ground: #fff; --box: #e8e8eb;
  --accent: #0a66c2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f2f2f4; --quiet: #a0a0a8; --ground: #161618; --box: #2a2a2e;
    --accent: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem; max-width: 84rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; }
section + section { margin-top: 3rem; border-top: 1px solid var(--box); padding-top: 2rem; }
h1 { font-size: 1.5rem; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
p { color: var(--quiet); margin: .5rem 0; }
.answer { display: grid; grid-template-columns: minmax(14rem, 20rem) 1fr; gap: 2rem; }
.results { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr));
  gap: 1.25rem; list-style: none; margin: 0; padding: 0; }
figure { margin: 0; }
.frame { position: relative; display: grid; place-items: center; aspect-ratio: 1;
  background: var(--box); border-radius: .5rem; overflow: hidden;
  color: var(--quiet); text-align: center; padding: 0; }
.frame img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.frame span { padding: 1rem; overflow-wrap: anywhere; }
a.frame:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
figcaption { margin-top: .4rem; font-size: .9rem; overflow-wrap: anywhere; }
figcaption b { font-variant-numeric: tabular-nums; }
figcaption span { color: var(--quiet); display: block; }
@media (max-width: 48rem) { body { padding: 1rem; } .answer { grid-template-columns: 1fr; } }
"""


def write_page(
    asked: Sequence[Asked], roots: Mapping[str, Path], limits: Limits | None = None
) -> str:
    """A complete HTML page: a section for every query, pictures inside, nothing fetched or run.

    Every name is escaped. A picture links to its file, which works where the page was made.
    """
    limits = limits or Limits()
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    sections = "\n".join(_section(one, roots, limits) for one in asked)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Lookalike</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{sections}
</main>
</body>
</html>
"""


def _section(one: Asked, roots: Mapping[str, Path], limits: Limits) -> str:
    picture = one.picture or Picture(one.shown, None)
    facts = [*found_in(one.answer).split(" · "), *filter(None, [shortfall(one.answer)])]
    lines = "\n".join(f"<p>{_text(fact)}</p>" for fact in facts)
    items = "\n".join(
        _item(rank, result, roots, limits) for rank, result in enumerate(one.answer.results, 1)
    )
    return f"""<section>
<h1>Images that look like {_text(picture.name)}</h1>
<div class="answer">
<div>
{_frame(picture, f"query: {picture.name}")}
{lines}
</div>
<ol class="results">
{items}
</ol>
</div>
</section>"""


def _item(rank: int, result: ScoredImage, roots: Mapping[str, Path], limits: Limits) -> str:
    picture = result_picture(result, roots, limits)
    path = result.record.path if result.record else result.id
    return f"""<li><figure title="{_text(path)}">
{_frame(picture, f"result {rank}: {picture.name}")}
<figcaption><b>{rank} · {result.score:.3f}</b><span>{_text(picture.name)}</span></figcaption>
</figure></li>"""


def _frame(picture: Picture, alt: str) -> str:
    if picture.image is None:
        return f'<div class="frame"><span>{_text(picture.note)}</span></div>'
    data = base64.b64encode(jpeg_bytes(picture.image)).decode()
    image = f'<img src="data:image/jpeg;base64,{data}" alt="{_text(alt)}">'
    if picture.path is None:
        return f'<div class="frame">{image}</div>'
    link = "file://" + urllib.parse.quote(os.fsencode(picture.path))
    return f'<a class="frame" href="{_text(link)}">{image}</a>'


def _text(text: str) -> str:
    return html.escape(escape(text))
