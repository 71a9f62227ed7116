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
from searcher.drawn.page import write_page
from searcher.drawn.sheet import CELL, QUERY_CELL, draw_sheet
from searcher.pictures import ExamplePicture, Picture, RootPictures, located, query_picture
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
    examples = (ExamplePicture(picture),) if picture else ()
    return Asked("some/query.png", answer, examples), pictures_of({"/photos": root})


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


COLORS = ["red", "lime", "yellow", "cyan", "magenta", "orange", "black", "maroon"]


def examples_of(count: int, negative: int) -> tuple[ExamplePicture, ...]:
    """So many examples of different colours, wide and tall, the last ones negative."""
    sizes = [(64, 64), (64, 6), (6, 64)]
    made = []
    for number in range(count):
        picture = query_picture(
            Query(
                f"{'long name ' * 9}{number}.png", data=png(COLORS[number % 8], sizes[number % 3])
            ),
            Limits(),
        )
        assert picture is not None
        made.append(ExamplePicture(picture, number >= count - negative))
    return tuple(made)


@pytest.mark.parametrize(("count", "negative"), [(2, 0), (2, 1), (3, 1), (5, 2), (8, 4), (32, 16)])
def test_the_sheet_shows_every_example_and_says_which_are_negative(
    tmp_path: Path, count: int, negative: int
) -> None:
    one, pictures = asked(tmp_path, [])
    examples = examples_of(count, negative)
    sheet = np.asarray(draw_sheet([replace(one, examples=examples)], pictures)).astype(int)
    left = sheet[MARGIN + TITLE :, MARGIN : MARGIN + QUERY_CELL]
    for color in COLORS[:count]:
        wanted = Image.new("RGB", (1, 1), color).getpixel((0, 0))
        assert (np.abs(left - np.array(wanted)).max(axis=2) < 40).sum() > 30, color
    assert (sheet[MARGIN + TITLE :, MARGIN + QUERY_CELL : MARGIN + QUERY_CELL + GAP] == 255).all()
    page = Tags(write_page([replace(one, examples=examples)], pictures))
    if count > 2 and negative:
        assert f"not like {negative}" in page.text
    alts = [str(image["alt"]) for image in page.named("img")]
    assert sum(alt.startswith("query: ") for alt in alts) == count - negative
    assert sum(alt.startswith("not like: ") for alt in alts) == negative


def test_an_example_without_a_picture_has_its_reason(tmp_path: Path) -> None:
    one, pictures = asked(tmp_path, [])
    gone = ExamplePicture(Picture("gone.png", None, "no longer there"), is_negative=True)
    both = replace(one, examples=(*one.examples, gone))
    assert "no longer there" in Tags(write_page([both], pictures)).text
    assert draw_sheet([both], pictures).height > 0


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
    shown = Asked(SCRIPT, one.answer, (ExamplePicture(Picture(SCRIPT, None, SCRIPT)),))
    page = write_page([shown, one], pictures)
    tags = Tags(page)
    assert "script" not in {name for name, _ in tags.tags}
    assert tags.text.count(SCRIPT) == 2
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
