"""Writes queries with their results as one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence

from searcher.answer import remarks
from searcher.asked import Asked
from searcher.drawn.examples import MARK_WORD, NOT_LIKE, heading, per_row
from searcher.drawn.html_parts import STYLE, frame, image_tag, page, text
from searcher.pictures import ExamplePicture, Picture, Pictures
from searcher.reasons.heat_drawing import LEGEND, ramp_strip
from searcher.render import caption, found_in
from shared.types import ScoredImage

_STYLE = (
    STYLE
    + """
.answer { display: grid; grid-template-columns: minmax(14rem, 20rem) 1fr; gap: 2rem; }
.frame + .frame { margin-top: .35rem; }
.examples { display: grid; gap: .75rem .5rem; list-style: none; margin: 0; padding: 0; }
.by-2 { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.by-3 { grid-template-columns: repeat(3, minmax(0, 1fr)); }
.by-4 { grid-template-columns: repeat(4, minmax(0, 1fr)); }
.examples figure { position: relative; }
.examples .frame span { padding: 1.25rem .25rem .25rem; font-size: .75rem; line-height: 1.2; }
.examples figcaption { font-size: .8rem; color: var(--quiet); max-height: 2.9em; overflow: hidden; }
.negative .frame { outline: 3px solid var(--negative); outline-offset: -3px; }
.negative b { position: absolute; top: 0; left: 0; padding: 0 .4rem; font-size: .8rem;
  background: var(--negative); color: var(--ground); border-radius: .5rem 0; }
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
    facts = [*found_in(one.answer).split(" · "), *remarks(one.answer)]
    lines = "\n".join(f"<p>{text(fact)}</p>" for fact in facts)
    legend = f"{image_tag(ramp_strip(256, 8), '', 'strip')}\n<p>{text(LEGEND)}</p>"
    items = "\n".join(
        _item(rank, result, one, pictures) for rank, result in enumerate(one.answer.results, 1)
    )
    return f"""<section>
<h1>{text(heading(one.examples))}</h1>
<div class="answer">
<div>
{_examples(one.examples)}
{lines}{legend if one.heats else ""}
</div>
<ol class="results">
{items}
</ol>
</div>
</section>"""


def _examples(examples: Sequence[ExamplePicture]) -> str:
    """The query image; several of them with their names, which the title may not all have."""
    if len(examples) == 1:
        picture = examples[0].picture
        return frame(picture, f"query: {picture.name}")
    items = "\n".join(_example(one) for one in examples)
    return f'<ul class="examples by-{per_row(len(examples))}">\n{items}\n</ul>'


def _example(one: ExamplePicture) -> str:
    name = one.picture.name
    kind, mark = (' class="negative"', f"<b>{MARK_WORD}</b> ") if one.is_negative else ("", "")
    told = f"{name}: {one.picture.note}" if one.picture.image is None else name
    alt = f"{NOT_LIKE if one.is_negative else 'query'}: {name}"
    return f"""<li{kind}><figure title="{text(told)}">
{frame(one.picture, alt)}
<figcaption>{mark}{text(name)}</figcaption>
</figure></li>"""


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
