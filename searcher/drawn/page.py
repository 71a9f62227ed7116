"""Writes queries with their results as one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence

from searcher.answer import remarks
from searcher.asked import Asked
from searcher.drawn.html_parts import STYLE, frame, image_tag, page, text
from searcher.pictures import ExamplePicture, Picture, Pictures, examples_title
from searcher.reasons.heat_drawing import LEGEND, ramp_strip
from searcher.render import caption, found_in
from shared.types import ScoredImage

_STYLE = (
    STYLE
    + """
.answer { display: grid; grid-template-columns: minmax(14rem, 20rem) 1fr; gap: 2rem; }
.examples { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); }
.frame + .frame { margin-top: .35rem; }
.strip { display: block; width: 100%; height: .75rem; margin-top: 1rem; border-radius: .25rem; }
@media (max-width: 48rem) { .answer { grid-template-columns: 1fr; } }
"""
)


def write_page(asked: Sequence[Asked], pictures: Pictures) -> str:
    """A complete HTML page: a section for every query, pictures inside, nothing fetched or run.

    Every name is escaped. A picture links to its file, which works where the page was made.
    """
    return page("Lookalike", _STYLE, "\n".join(_section(one, pictures) for one in asked))


def _section(one: Asked, pictures: Pictures) -> str:
    examples = one.examples or (ExamplePicture(Picture(one.shown, None)),)
    facts = [*found_in(one.answer).split(" · "), *remarks(one.answer)]
    lines = "\n".join(f"<p>{text(fact)}</p>" for fact in facts)
    legend = f"{image_tag(ramp_strip(256, 8), '', 'strip')}\n<p>{text(LEGEND)}</p>"
    items = "\n".join(
        _item(rank, result, one, pictures) for rank, result in enumerate(one.answer.results, 1)
    )
    return f"""<section>
<h1>{text(examples_title(examples))}</h1>
<div class="answer">
<div>
{_examples(examples)}
{lines}{legend if one.heats else ""}
</div>
<ol class="results">
{items}
</ol>
</div>
</section>"""


def _examples(examples: Sequence[ExamplePicture]) -> str:
    if len(examples) == 1:
        return frame(examples[0].picture, examples[0].alt)
    figures = "\n".join(
        f"<figure>{frame(one.picture, one.alt)}"
        f"<figcaption>{'<b>not</b> ' if one.is_negative else ''}{text(one.picture.name)}"
        "</figcaption></figure>"
        for one in examples
    )
    return f'<div class="examples">\n{figures}\n</div>'


def _item(rank: int, result: ScoredImage, one: Asked, pictures: Pictures) -> str:
    picture = pictures.of(result.record)
    path = result.record.path if result.record else result.id
    frames = [frame(picture, f"result {rank}: {picture.name}")]
    if one.heats:
        heat = Picture("", one.heats.get(result.id), "no heat map")
        frames.append(frame(heat, f"heat map of result {rank}"))
    lines = [picture.name, *filter(None, [one.explained.get(result.id)])]
    spans = "".join(f"<span>{text(line)}</span>" for line in lines)
    return f"""<li><figure title="{text(path)}">
{"".join(frames)}
<figcaption><b>{text(caption(one.answer, rank, result))}</b>{spans}</figcaption>
</figure></li>"""
