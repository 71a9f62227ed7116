"""The sheet and the page: what they show, and that no name or missing file breaks them."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searcher.answer import Answer, Took
from searcher.asked import Asked
from searcher.drawn.drawing import GAP, MARGIN, TITLE
from searcher.drawn.examples import heading
from searcher.drawn.page import write_page
from searcher.drawn.sheet import CELL, QUERY_CELL, draw_sheet
from searcher.pictures import (
    ExamplePicture,
    Picture,
    RootPictures,
    example_pictures,
    located,
    query_picture,
)
from searcher.query.source import Query
from shared.reading import Limits
from shared.types import ScoredImage
from tests.fakes import record

SCRIPT = '<script>alert("1")</script>&.png'


def png(color: str, size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def asked(root: Path, names: list[str], *, number: int = 12) -> tuple[Asked, RootPictures]:
    """A blue query with these results, of which those on disk can be drawn."""
    found = tuple(ScoredImage(str(n), 1 - n / 20, record(name)) for n, name in enumerate(names))
    answer = Answer("g1/0", ("g1/0",), len(names), 40, 40, number, found, Took())
    picture = query_picture(Query("some/query.png", data=png("blue")), Limits())
    return Asked("some/query.png", answer, (ExamplePicture(picture),)), pictures_of(
        {"/photos": root}
    )


def red_picture() -> Picture:
    return query_picture(Query("red.png", data=png("red")), Limits())


def examples(
    like: list[tuple[str, bytes]], unlike: list[tuple[str, bytes]] | None = None
) -> tuple[ExamplePicture, ...]:
    """Examples of these names and bytes."""

    def indexed(point: str) -> Picture:
        raise AssertionError(f"{point} is no file")

    wanted, unwanted = ([Query(n, data=d) for n, d in some] for some in (like, unlike or []))
    return example_pictures(wanted, unwanted, indexed, Limits())


def boxes(sheet: Image.Image, color: str) -> tuple[int, int, int, int] | None:
    """Where a colour is: left, top, right, bottom (exclusive); None if it is nowhere."""
    wanted = Image.new("RGB", (1, 1), color).getpixel((0, 0))
    near = np.abs(np.asarray(sheet).astype(int) - wanted).max(axis=2) < 4
    rows, columns = np.nonzero(near)
    if not len(rows):
        return None
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def pictures_of(roots: dict[str, Path]) -> RootPictures:
    return RootPictures(roots, Limits())


def corner(place: int) -> tuple[int, int]:
    row, column = divmod(place, 4)
    left = MARGIN + QUERY_CELL + 2 * GAP
    return left + column * (CELL + GAP), MARGIN + TITLE + row * (CELL + 56 + GAP)


def test_the_sheet_shows_the_query_and_every_result(tmp_path: Path) -> None:
    colors = ["red", "lime", "yellow", "cyan", "magenta"]
    for color in colors:
        (tmp_path / f"{color}.png").write_bytes(png(color))
    one, pictures = asked(tmp_path, [f"{color}.png" for color in colors])
    sheet = draw_sheet([one], pictures)
    middle = (MARGIN + QUERY_CELL // 2, MARGIN + TITLE + QUERY_CELL // 2)
    assert sheet.mode == "RGB"
    assert np.abs(np.subtract(sheet.getpixel(middle), (0, 0, 255))).max() < 3
    for place, color in enumerate(colors):
        x, y = corner(place)
        wanted = Image.new("RGB", (1, 1), color).getpixel((0, 0))
        assert sheet.getpixel((x + CELL // 2, y + CELL // 2)) == wanted


def test_the_sheet_keeps_proportions(tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(png("red", (100, 50)))
    one, pictures = asked(tmp_path, ["wide.png"])
    column = np.asarray(draw_sheet([one], pictures))[:, corner(0)[0] + CELL // 2]
    red = (column == (255, 0, 0)).all(axis=1)
    assert red.sum() == CELL // 2


def test_the_sheet_survives_whatever_lies_on_disk(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(png("red")[:60])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    names = ["gone.png", "broken.png", "empty.png", "folder.png", "a\nb" + "long" * 60 + ".png"]
    one, pictures = asked(tmp_path, names)
    sheet = draw_sheet([one, one], pictures)
    single = draw_sheet([one], pictures)
    assert sheet.width == single.width
    assert single.height < sheet.height < 2 * single.height
    x, y = corner(0)
    assert sheet.getpixel((x + CELL // 2, y + CELL // 4)) == (240, 240, 243)
    assert draw_sheet([asked(tmp_path, [])[0]], pictures_of({})).height > QUERY_CELL


def test_why_a_picture_is_missing(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(png("red")[:60])
    (tmp_path / "empty.png").write_bytes(b"")

    def note(name: str, roots: dict[str, Path]) -> str:
        return pictures_of(roots).of(record(name)).note

    roots = {"/photos": tmp_path}
    assert note("gone.png", roots) == "no longer there"
    assert note("empty.png", roots) == "is empty"
    assert note("broken.png", roots).startswith("is damaged")
    assert note("gone.png", {}) == "root unknown here"
    assert pictures_of({}).of(None).note == "unknown image"


def test_names_that_are_not_utf8_lead_to_their_files(tmp_path: Path) -> None:
    raw = b"caf\xe9.png"
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)).write_bytes(png("red"))
    one = record(os.fsdecode(raw))
    assert one.path == "caf\ufffd.png"
    assert os.fsencode(located({"/photos": tmp_path}, one) or "").endswith(b"/caf\xe9.png")
    found = pictures_of({"/photos": tmp_path}).of(one)
    assert found.image is not None
    page = write_page(
        [asked(tmp_path, [os.fsdecode(raw)])[0]],
        pictures_of({"/photos": tmp_path}),
    )
    assert "/caf%E9.png" in page


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_holds_everything_and_fetches_nothing(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png("red"))
    one, pictures = asked(tmp_path, ["red.png", "gone.png"])
    page = write_page([one, one], pictures)
    tags = Tags(page)
    assert not tags.open
    assert len(tags.named("section")) == 2
    images = tags.named("img")
    assert [image["alt"] for image in images[:2]] == ["query: query.png", "result 1: red.png"]
    for image in images:
        head, data = str(image["src"]).split(",")
        assert head == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (64, 64)
    assert tags.named("a")[0]["href"] == f"file://{tmp_path}/red.png"
    assert "no longer there" in tags.text
    assert "searched 2 of 40 (5%)" in tags.text
    assert "only 2 of 12 wanted are in the cluster searched" in tags.text
    assert not re.search(r"https?:|url\(|@import", page)
    assert not tags.named("script")


def test_the_pages_policy_allows_its_own_style_and_no_other(tmp_path: Path) -> None:
    one, pictures = asked(tmp_path, [])
    page = write_page([one], pictures)
    policy = next(
        str(meta["content"])
        for meta in Tags(page).named("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "prefers-color-scheme: dark" in style[1]
    assert " style=" not in page


def test_names_are_text_on_the_page(tmp_path: Path) -> None:
    hidden = tmp_path / "x\" onerror='y"
    hidden.mkdir()
    (hidden / "red.png").write_bytes(png("red"))
    one, pictures = asked(tmp_path, ["x\" onerror='y/red.png"])
    hostile = ExamplePicture(Picture(SCRIPT, None, SCRIPT))
    negative = ExamplePicture(Picture(SCRIPT, red_picture().image), is_negative=True)
    shown = [replace(one, examples=some) for some in ((hostile,), (hostile, negative))]
    page = write_page([*shown, one], pictures)
    tags = Tags(page)
    assert "script" not in {name for name, _ in tags.tags}
    # In every heading, as a reason, and below each of the two examples.
    assert tags.text.count(SCRIPT) == 2 + (2 + 1 + 2)
    assert {key for _, attributes in tags.tags for key in attributes} <= {
        *("lang", "charset", "http-equiv", "content", "name", "class", "title", "href"),
        *("src", "alt"),
    }


@pytest.mark.parametrize("results", [0, 1, 4, 5, 12, 13])
def test_the_sheet_has_room_for_any_number(tmp_path: Path, results: int) -> None:
    one, pictures = asked(tmp_path, [f"{n}.png" for n in range(results)])
    assert draw_sheet([one], pictures).height >= MARGIN + TITLE + -(-results // 4) * (CELL + 56)


def explained(tmp_path: Path) -> tuple[Asked, RootPictures]:
    (tmp_path / "red.png").write_bytes(png("red"))
    one, pictures = asked(tmp_path, ["red.png", "gone.png"])
    heats = {"0": Image.new("RGB", (64, 64), "lime")}
    return replace(one, heats=heats, explained={"0": f"cluster g1/0 · {SCRIPT}"}), pictures


def test_the_sheet_shows_heat_below_the_result(tmp_path: Path) -> None:
    one, pictures = explained(tmp_path)
    sheet = draw_sheet([one], pictures)
    x, y = corner(0)
    assert sheet.getpixel((x + CELL // 2, y + CELL // 2)) == (255, 0, 0)
    assert sheet.getpixel((x + CELL // 2, y + CELL + CELL // 2)) == (0, 255, 0)
    plain = draw_sheet([replace(one, heats={}, explained={})], pictures)
    assert sheet.height > plain.height
    # The legend's strip ends in its hottest colour.
    strip = np.asarray(sheet)[MARGIN + TITLE + QUERY_CELL :, MARGIN + QUERY_CELL - 1].astype(int)
    assert (np.ptp(strip, axis=1) > 80).sum() >= 8


def test_the_page_shows_heat_and_why(tmp_path: Path) -> None:
    one, pictures = explained(tmp_path)
    tags = Tags(write_page([one], pictures))
    assert [image["alt"] for image in tags.named("img")] == [
        *("query: query.png", "", "result 1: red.png", "heat map of result 1")
    ]
    assert "no heat map" in tags.text
    assert f"cluster g1/0 · {SCRIPT}" in tags.text
    assert "Zeiler and Fergus 2014" in tags.text
    assert "Zeiler" not in write_page([replace(one, heats={})], pictures)


COLORS = (
    *("red", "lime", "blue", "yellow", "cyan", "magenta", "maroon", "green", "navy", "olive"),
    *("teal", "purple", "orange", "brown", "gold", "indigo"),
)
LONG = "x" * 251 + ".png"


@pytest.mark.parametrize("number", [2, 4, 5, 9, 10, 16])
def test_the_sheet_shows_every_example_in_the_place_of_one(tmp_path: Path, number: int) -> None:
    one, pictures = asked(tmp_path, [])
    given = [(f"{color}.png", png(color)) for color in COLORS[:number]]
    one = replace(one, examples=examples(given[:-1], given[-1:]))
    sheet = draw_sheet([one], pictures)
    places = [boxes(sheet, color) for color in COLORS[:number]]
    for place in places:
        assert place is not None
        assert MARGIN <= place[0] < place[2] <= MARGIN + QUERY_CELL
        assert MARGIN + TITLE <= place[1] < place[3] <= sheet.height - MARGIN
    tops = [place[1] for place in places if place is not None]
    assert tops[:-2] == sorted(tops[:-2]), "they stand in their order"
    alone = draw_sheet([asked(tmp_path, [])[0]], pictures)
    assert sheet.height <= alone.height + 120


def test_only_negative_examples_are_marked(tmp_path: Path) -> None:
    one, pictures = asked(tmp_path, [])
    lime, blue = ("lime.png", png("lime")), ("blue.png", png("blue"))
    both = replace(one, examples=examples([lime, blue]))
    against = replace(one, examples=examples([lime], [blue]))
    marked, plain = draw_sheet([against], pictures), draw_sheet([both], pictures)
    assert marked.size == plain.size
    changed = np.asarray(marked)[MARGIN + TITLE :] != np.asarray(plain)[MARGIN + TITLE :]
    columns = np.nonzero(changed.any(axis=(0, 2)))[0]
    # The frame of the second box and the word in its corner, nothing of the first one.
    assert MARGIN + QUERY_CELL // 2 < columns.min() < columns.max() < MARGIN + QUERY_CELL


def test_examples_of_odd_sizes_and_names_stay_in_their_boxes(tmp_path: Path) -> None:
    one, pictures = asked(tmp_path, [])
    odd = [(LONG, png("red", (2000, 8))), ("tall.png", png("lime", (8, 2000)))]
    broken = [("broken.png", png("blue")[:60])] * 3
    sheet = draw_sheet([replace(one, examples=examples(odd, broken))], pictures)
    assert sheet.width == draw_sheet([one], pictures).width
    wide, tall = boxes(sheet, "red"), boxes(sheet, "lime")
    assert wide is not None
    assert tall is not None
    assert (wide[2] - wide[0], tall[3] - tall[1]) == (93, 93)
    ground = np.asarray(sheet)[:, MARGIN + QUERY_CELL :]
    assert (ground[MARGIN + TITLE :] == 255).all(), "no name or reason is wider than its place"


def test_the_page_shows_every_example_and_names_negative_ones(tmp_path: Path) -> None:
    one, pictures = asked(tmp_path, [])
    given = examples(
        [("a/red.png", png("red")), (LONG, png("lime"))],
        [("blue.png", png("blue")), ("broken.png", b"nothing")],
    )
    tags = Tags(write_page([replace(one, examples=given)], pictures))
    assert [image["alt"] for image in tags.named("img")] == [
        *("query: red.png", f"query: {LONG}", "not like: blue.png")
    ]
    assert len([item for item in tags.named("li") if item.get("class") == "negative"]) == 2
    assert tags.text.split("\n").count("not blue.png") == 1
    assert "is not an image" in tags.text
    assert "Images that look like red.png and xxx" in tags.text
    assert "not like blue.png or broken.png" in tags.text


@pytest.mark.parametrize(
    ("like", "unlike", "title"),
    [
        (1, 0, "like 0"),
        (2, 1, "like 0 and 1, not like 0"),
        (3, 2, "like 0, 1 and 2, not like 0 or 1"),
        (4, 3, "like 0, 1 and 2 more, not like 0, 1 or 2"),
        (16, 16, "like 0, 1 and 14 more, not like 0, 1 and 14 more"),
    ],
)
def test_a_heading_names_a_few_and_counts_the_others(like: int, unlike: int, title: str) -> None:
    wanted, unwanted = ([(str(n), b"") for n in range(number)] for number in (like, unlike))
    assert heading(examples(wanted, unwanted)) == f"Images that look {title}"
