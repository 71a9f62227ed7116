"""What a cluster holds, worked by hand on a few points; the map's places and page."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searcher.survey.cluster_map import Projection, principal_components, project
from searcher.survey.clusters import Survey, survey
from searcher.survey.map_assets import COLORS, SHAPES
from searcher.survey.map_page import evenly, write_map_page
from searcher.survey.report import clusters_json, clusters_table
from searcher.survey.sheet import draw_clusters
from shared.clustering import Clustering
from shared.errors import StoreMissing
from shared.types import EMBEDDING_SIZE, Embeddings
from tests.fakes import MemoryStore, axis_vector, record
from tests.unit.test_render_pictures import SCRIPT, Tags

CLUSTERING = Clustering(
    "mean-color", "g2", np.stack([axis_vector(1), axis_vector(0, 1), axis_vector(0, 0, 1)])
)


def store(*points: tuple[str, tuple[str, ...], tuple[float, ...]]) -> MemoryStore:
    """Points by name, labels and first coordinates."""
    from dataclasses import replace

    filled = MemoryStore()
    for name, labels, values in points:
        filled.upsert([replace(record(name), cluster=labels)], axis_vector(*values)[None])
    return filled


SIX = (
    ("a.jpg", ("g2/0",), (1.0,)),
    ("b.jpg", ("g1/7", "g2/0"), (0.8, 0.6)),
    ("c.jpg", ("g2/0",), (0.6, 0.8)),
    ("d.jpg", ("g2/1",), (0.0, 1.0)),
    ("e.jpg", ("g1/0",), (1.0,)),
)


def test_sizes_spread_and_samples() -> None:
    found = survey(store(*SIX), CLUSTERING, samples=2)
    assert (found.generation, found.total, found.unlabelled) == ("g2", 5, 1)
    assert [(one.label, one.size, one.share) for one in found.clusters] == [
        *(("g2/0", 3, 0.6), ("g2/1", 1, 0.2), ("g2/2", 0, 0.0))
    ]
    # b and c belong where their labels say, though c is nearer to the other centroid.
    first, second, empty = found.clusters
    distances = [0.0, 0.4**0.5, 0.8**0.5]
    assert first.spread is not None
    assert first.spread.mean == pytest.approx(sum(distances) / 3, rel=1e-4)
    # Linear between the second and third of three: at 95 % of the way from first to last.
    assert first.spread.p95 == pytest.approx(distances[1] * 0.1 + distances[2] * 0.9, rel=1e-4)
    assert [sample.record.path for sample in first.samples] == ["a.jpg", "b.jpg"]
    assert first.samples[1].distance == pytest.approx(distances[1], rel=1e-4)
    assert [sample.record.path for sample in second.samples] == ["d.jpg"]
    assert (empty.spread, empty.samples) == (None, ())


def test_samples_come_from_all_batches() -> None:
    class Paged(MemoryStore):
        def scroll(self, *, batch_size=1000, with_vectors=False):  # type: ignore[no-untyped-def]
            return super().scroll(batch_size=1, with_vectors=with_vectors)

    whole, paged = store(*SIX), Paged()
    paged._points = whole._points
    first, second = (survey(one, CLUSTERING, samples=2, drawn=4, seed=5) for one in (whole, paged))
    assert first.clusters == second.clusters
    assert first.drawn.records == second.drawn.records


def test_the_draw_is_random_by_its_seed_and_keeps_rows_together() -> None:
    points = [(f"{n}.jpg", ("g2/1",), (np.cos(n), np.sin(n))) for n in range(40)]
    filled = store(*points)
    drawn = [survey(filled, CLUSTERING, samples=0, drawn=10, seed=seed).drawn for seed in (1, 1, 2)]
    assert drawn[0].records == drawn[1].records != drawn[2].records
    assert len({one.id for one in drawn[0].records}) == 10
    for one, vector in zip(drawn[0].records, drawn[0].vectors, strict=True):
        n = int(one.path.removesuffix(".jpg"))
        assert vector[:2] == pytest.approx([np.cos(n), np.sin(n)], abs=1e-6)
    assert len(survey(filled, CLUSTERING, samples=0, drawn=99).drawn.records) == 40


def test_an_empty_store_is_said() -> None:
    with pytest.raises(StoreMissing, match="nothing is indexed yet"):
        survey(MemoryStore(), CLUSTERING, samples=1)


def test_json_and_table() -> None:
    found = survey(store(*SIX), CLUSTERING, samples=1)
    value = clusters_json(found)
    nothing = {"size": 0, "share": 0.0, "spread": None, "samples": []}
    assert value["clusters"][2] == {"label": "g2/2", **nothing}
    assert value["clusters"][1]["spread"] == {"mean": 0.0, "p95": 0.0}
    assert value["clusters"][0]["samples"][0]["path"] == "a.jpg"
    lines = clusters_table(found).splitlines()
    assert lines[:4] == [
        "5 pictures in 3 clusters of generation g2 · 1 not yet labelled",
        "in /photos",
        "cluster  pictures  share  mean   95%",
        "g2/0            3    60%  0.51  0.87",
    ]
    assert "    0.00  a.jpg" in lines


def groups(sizes: tuple[int, ...], seed: int = 0) -> Embeddings:
    """Unit vectors, tight around one axis a group."""
    rng = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    vectors = rng.normal(0, 0.01, (len(numbers), EMBEDDING_SIZE))
    vectors[np.arange(len(numbers)), numbers] += 1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_principal_components_worked_by_hand() -> None:
    vectors = np.stack(
        [axis_vector(0, 3), axis_vector(0, -3), axis_vector(1), axis_vector(-1), axis_vector()]
    )
    assert principal_components(vectors) == pytest.approx(
        np.array([[3, 0], [-3, 0], [0, 1], [0, -1], [0, 0]]), abs=1e-6
    )


@pytest.mark.parametrize("extra", [True, False])
def test_groups_stay_together_on_the_map(extra: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not extra:
        monkeypatch.setitem(sys.modules, "openTSNE", None)
    vectors = groups((20, 20, 20))
    before = vectors.copy()
    found = project(vectors, seed=3)
    assert found.method == ("t-SNE" if extra else "PCA")
    assert (found.note is None) == extra
    if found.note is not None:
        assert "pip install 'lookalike[map]'" in found.note
    assert (vectors == before).all()
    places = found.places
    assert places.dtype == np.float32
    assert places.min() >= 0
    assert places.max() <= 1
    assert np.ptp(places, axis=0).max() == pytest.approx(1)
    away = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(60)
    assert (away.argmin(axis=1) // 20 == np.repeat([0, 1, 2], 20)).all()
    assert (project(vectors, seed=3).places == places).all()


@pytest.mark.parametrize("number", [0, 1, 2, 11])
def test_few_pictures_are_placed_without_a_library(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    found = project(groups((number,)))
    assert found.places.shape == (number, 2)
    assert (found.method, found.note) == ("PCA", None)


def test_copies_of_one_picture_are_one_place() -> None:
    found = project(np.repeat(axis_vector(1)[None], 50, axis=0))
    assert np.ptp(found.places, axis=0).max() < 1
    assert np.isfinite(found.places).all()
    with pytest.raises(ValueError, match="not finite"):
        project(np.full((3, EMBEDDING_SIZE), np.nan, np.float32))


def test_every_cluster_has_pictures_on_the_map() -> None:
    numbers = np.array([0] * 90 + [1] * 3 + [-1] * 7)
    shown = evenly(numbers, 12)
    assert shown == sorted(set(shown))
    assert np.bincount(numbers[shown] + 1).tolist() == [4, 5, 3]
    assert evenly(numbers, 500) == list(range(100))


def surveyed(root: Path) -> Survey:
    """Two clusters; every picture lies on disk but one, and one has a hostile name."""
    names = [SCRIPT.replace("/", "-"), "gone.jpg", "x\" onload='y.png", "d.png", "e.png"]
    for name in (names[0], *names[2:]):
        Image.new("RGB", (40, 20), "red").save(root / name, "PNG")
    values = ((1.0,), (0.8, 0.6), (0.0, 1.0), (0.6, 0.8), (0.28, 0.96))
    labels = ("g2/0", "g2/0", "g2/1", "g2/1", "g1/0")
    points = [(n, (label,), v) for n, label, v in zip(names, labels, values, strict=True)]
    return survey(store(*points), CLUSTERING, samples=3, drawn=10)


def test_the_page_is_whole_and_names_are_text(tmp_path: Path) -> None:
    found = surveyed(tmp_path)
    projection = Projection(np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2), "PCA", SCRIPT)
    page = write_map_page(found, projection, {"/photos": tmp_path})
    tags = Tags(re.sub(r"<(path|use)([^>]*)/>", r"<\1\2></\1>", page))
    assert not tags.open
    assert len(tags.named("script")) == 1
    assert not {key for _, attributes in tags.tags for key in attributes if key.startswith("on")}
    assert SCRIPT in tags.text  # the note, as text
    assert not re.search(r"https?:|url\(|@import| style=", page)
    marks = [one for one in tags.named("a") if "data-image" in one]
    # The three pictures of a cluster that lie on disk, and the one without a cluster.
    assert len(marks) == 4
    assert sorted(str(mark["aria-label"]).partition(": ")[0] for mark in marks) == [
        *("g2/0", "g2/1", "g2/1", "no cluster")
    ]
    assert any(str(mark["aria-label"]).endswith(SCRIPT.replace("/", "-")) for mark in marks)
    # Tab reaches one of each cluster.
    assert [str(mark["tabindex"]) for mark in marks].count("0") == 3
    for mark in marks:
        assert str(mark["data-image"]).startswith("data:image/jpeg;base64,")
    # A dot or a mark for every picture, a key for every cluster.
    assert len(tags.named("use")) == 5 + 3
    assert {text["data-cluster"] for text in tags.named("text")} == {"0", "1"}
    assert [button["data-cluster"] for button in tags.named("button")] == ["0", "1", "2"]


def test_only_the_pages_own_style_and_script_run(tmp_path: Path) -> None:
    found = surveyed(tmp_path)
    page = write_map_page(found, project(found.drawn.vectors), {})
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy

    def source(tag: str) -> str:
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inside
        return base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()

    assert policy[1].split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{source('style')}'",
        f"script-src 'sha256-{source('script')}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "data-image" not in page.partition("<script>")[0]  # no root is known here


def test_clusters_differ_in_colour_or_shape() -> None:
    clustering = Clustering("mean-color", "g2", np.eye(24, EMBEDDING_SIZE, dtype=np.float32))
    points = [(f"{n}.jpg", (f"g2/{n}",), tuple(np.eye(24)[n].tolist())) for n in range(24)]
    found = survey(store(*points), clustering, samples=0, drawn=24)
    page = write_map_page(found, project(found.drawn.vectors), {})
    dots = re.findall(r'<g class="(\w+)" data-cluster="\d+"><use href="(#\w+)"', page)
    assert len(set(dots)) == len(COLORS) * len(SHAPES) == 24


def test_the_sheet_shows_the_samples(tmp_path: Path) -> None:
    sheet = np.asarray(draw_clusters(surveyed(tmp_path), {"/photos": tmp_path}))
    red = (sheet == (255, 0, 0)).all(axis=2).sum()
    # Three boxes of 160 pixels hold a picture twice as wide as high; one is gone, one unlabelled.
    assert red == 3 * 160 * 80
