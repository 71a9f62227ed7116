"""Results are looked at, searched further and filtered; clusters are opened."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import HOSTILE
from tests.browser.visits import Visit


@pytest.fixture
def asked(visit: Visit) -> Visit:
    """A question with the most typical picture of the largest cluster, answered."""
    found = visit.page.request.get(f"{visit.url}/clusters?samples=1").json()
    visit.open(f"/?id={found['clusters'][0]['samples'][0]['id']}")
    visit.results()
    return visit


def test_looking_further(asked: Visit) -> None:
    facts = asked.page.locator(".facts")
    expect(asked.page.get_by_role("radio", name="Auto")).to_be_checked()
    asked.page.get_by_text("Predicted cluster").click()
    expect(facts).to_have_text(re.compile(r"cluster (\d) · searched cluster \1 of 4: "))
    asked.button("Search everything").click()
    expect(facts).to_contain_text("searched all 4 clusters: 128 of 128 (100%)")
    expect(asked.page.get_by_role("radio", name="Everything")).to_be_checked()
    asked.page.get_by_text("Nearest").click()
    expect(facts).to_have_text(re.compile(r"cluster (\d) · searched clusters \1, \d of 4: "))
    asked.page.get_by_label("How many clusters").fill("3")
    asked.page.get_by_label("How many clusters").press("Enter")
    expect(facts).to_have_text(re.compile(r"searched clusters \d, \d, \d of 4: "))
    asked.page.get_by_label("Show").select_option("12")
    expect(asked.cards).to_have_count(12)
    assert "probes=3&n=12" in asked.page.url


def test_only_what_is_alike_enough(asked: Visit) -> None:
    asked.page.get_by_label("Likeness").select_option("exact")
    expect(asked.page.locator(".remark").first).to_contain_text("not alike enough")
    asked.page.get_by_label("Likeness").select_option("")
    asked.page.get_by_label("Least percentile").fill("90")
    expect(asked.page.locator("#percentile-value")).to_have_text("over 90")
    asked.page.wait_for_url("**percentile=90**")
    expect(asked.view).not_to_have_attribute("aria-busy", "true")
    shares = asked.page.locator(".results .score[title]").all_inner_texts()
    assert shares
    assert all(float(re.sub(r"[^\d.]", "", one)) >= 90 for one in shares)


def test_a_filter_and_a_wrong_one(asked: Visit) -> None:
    page = asked.page
    asked.button("Filter").click()
    page.get_by_label("Only pictures whose").select_option("folder")
    page.get_by_label("Value").fill("hat")
    page.get_by_label("Value").press("Enter")
    expect(page.locator(".filter")).to_have_text("folder is hatTake away folder is hat")
    expect(page.locator(".results .folder").first).to_have_text("hat")
    assert {*page.locator(".results .folder").all_inner_texts()} == {"hat"}
    page.get_by_label("Only pictures whose").select_option("taken_at")
    page.get_by_label("Comparison").select_option(label="within")
    page.get_by_label("Value").fill("yesterday")
    asked.button("Add").last.click()
    expect(page.locator("#filter-error")).to_contain_text("'yesterday' is no date")
    expect(asked.cards).to_have_count(0)
    asked.button("Take away taken at within yesterday").click()
    expect(page.locator("#filter-error")).to_be_hidden()
    asked.results()


def test_a_result_is_opened_and_explained(asked: Visit) -> None:
    _, second, *_ = asked.results()
    asked.cards.first.click()
    expect(asked.dialog).to_contain_text("1 of 24")
    image = asked.dialog.locator(".stage img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 128
    asked.page.keyboard.press("ArrowRight")
    expect(asked.dialog).to_contain_text("2 of 24")
    asked.dialog.get_by_role("button", name="Why is it here?").click()
    expect(asked.dialog.locator(".why")).to_contain_text(re.compile(r"\d+ of 64 bits differ"))
    original = asked.dialog.get_by_role("link", name="Open original").get_attribute("href")
    assert str(original).startswith(f"/images/{second}")
    asked.page.keyboard.press("Escape")
    expect(asked.dialog).to_have_count(0)
    expect(asked.page.locator(f'[data-id="{second}"]')).to_be_focused()
    asked.cards.first.click()
    asked.dialog.get_by_role("link", name="Show its cluster").click()
    expect(asked.page.get_by_role("heading", name=re.compile(r"^Cluster \d$"))).to_be_visible()


def test_a_cluster_is_opened_and_asked_from(visit: Visit) -> None:
    visit.open("/?view=clusters")
    clusters = visit.page.locator(".cluster")
    expect(clusters).to_have_count(4)
    texts = [one.inner_text() for one in clusters.all()]
    sizes = [int(re.search(r"([\d,]+) pictures?", text)[1]) for text in texts]  # type: ignore[index]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 128
    clusters.first.click()
    cells = visit.page.locator(".grid .cell-main")
    expect(visit.page.locator(".lead")).to_contain_text(f"{sizes[0]} pictures")
    visit.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(cells).to_have_count(sizes[0])
    asked = cells.last.get_attribute("href")
    cells.last.click()
    visit.page.wait_for_url(f"**{asked}")
    visit.results()
    visit.page.go_back()
    expect(visit.page.get_by_role("heading", name=re.compile(r"^Cluster \d$"))).to_be_visible()


@pytest.mark.case(44)
def test_names_are_only_text(asked: Visit) -> None:
    asked.open(asked.page.url.removeprefix(asked.url) + "&probes=all&where=folder%3Dnames")
    asked.results()
    names = asked.page.locator(".results .name")
    expect(names).to_have_count(len(HOSTILE))
    shown = {str(name) for name in names.all_text_contents()}
    assert "<img src=x onerror=document.title='owned'>.jpg" in shown
    assert "&lt;b&gt;'quoted'.jpg" in shown
    assert "\ufffdgpj.exe\ufffd.jpg" in shown, "what would turn the name around is seen"
    assert "line\u240afeed\u2409tab\u241b[31m.jpg" in shown
    for place in range(len(HOSTILE)):
        asked.cards.nth(place).click()
        assert asked.dialog.locator("h2").text_content() in shown
        asked.page.keyboard.press("Escape")
    hostile = asked.page.locator("#view img[src='x'], #view script, dialog script, #view b")
    expect(hostile).to_have_count(0)
    assert asked.page.title() == "Lookalike"
    box = asked.page.evaluate("[document.body.scrollWidth, innerWidth]")
    assert box[0] <= box[1], "a long name does not widen the page"


def test_the_query_image_is_not_among_its_results(asked: Visit) -> None:
    asked.page.get_by_label("Show").select_option("192")
    expect(asked.page.locator(".remark")).to_have_text("Only 127 other images are indexed.")
    expect(asked.cards).to_have_count(127)
