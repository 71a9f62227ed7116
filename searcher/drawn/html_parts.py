"""What every HTML file is made of: a page that fetches nothing, pictures inside it, safe text."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import urllib.parse

from PIL import Image

from searcher.pictures import Picture
from shared.images import jpeg_bytes
from shared.report import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1e; --quiet: #6e6e74; --ground: #fff; --box: #e8e8eb;
  --accent: #0a66c2; --negative: #ad1f1f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f2f2f4; --quiet: #a0a0a8; --ground: #161618; --box: #2a2a2e;
    --accent: #6cb2ff; --negative: #ff9c94; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem; max-width: 84rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; }
section + section { margin-top: 3rem; border-top: 1px solid var(--box); padding-top: 2rem; }
h1 { font-size: 1.5rem; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
p { color: var(--quiet); margin: .5rem 0; }
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
@media (max-width: 48rem) { body { padding: 1rem; } }
"""
"""Ground, ink and frames, light and dark, as all pages have them."""


def page(title: str, style: str, body: str, script: str = "") -> str:
    """A complete page. Its own style and script are allowed by their hashes, nothing else runs.

    `style` and `script` are constants of the program; `body` is HTML whose names are `text`.
    """
    scripts = f"script-src {_source(script)}; " if script else ""
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; {scripts}"
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{text(title)}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def _source(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def frame(picture: Picture, alt: str) -> str:
    """A picture in a square that links to its file, or the reason why there is none."""
    if picture.image is None:
        return f'<div class="frame"><span>{text(picture.note)}</span></div>'
    inside = image_tag(picture.image, alt)
    if picture.path is None:
        return f'<div class="frame">{inside}</div>'
    return f'<a class="frame" href="{text(file_link(picture.path))}">{inside}</a>'


def image_tag(image: Image.Image, alt: str, kind: str = "") -> str:
    """The image inside the page; `kind` is a class of the style."""
    named = f' class="{kind}"' if kind else ""
    return f'<img{named} src="{data_link(image)}" alt="{text(alt)}">'


def data_link(image: Image.Image) -> str:
    """The image as a data URI, a JPEG."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg_bytes(image)).decode()}"


def file_link(path: str) -> str:
    """A file URI; bytes that are no UTF-8 are kept."""
    return "file://" + urllib.parse.quote(os.fsencode(path))


def text(content: str) -> str:
    """Text for between tags and for attributes in double quotes, on one line."""
    return html.escape(escape(content))
