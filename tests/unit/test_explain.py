"""Why a picture is a result: margins worked by hand, hash bits, and heat where the likeness is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from searcher.hashes import hash_distance
from searcher.reasons.explain import margin, result_heat
from searcher.reasons.explanation import Explanation, Margin, explanation, explanation_json
from searcher.reasons.heat_drawing import overlay, ramp
from searcher.reasons.heat_map import CELLS, heat_map
from shared.clustering import Clustering
from shared.errors import VectorRefused
from shared.reading import Limits
from shared.types import EMBEDDING_SIZE, Embeddings, Pixels, PixelSpec, ScoredImage
from tests.fakes import axis_vector, record

EDGE = 32


class RedEncoder:
    """A unit vector whose cosine with axis 0 is the share of pure red pixels; counts its calls."""

    def __init__(self) -> None:
        self.id, self.spec, self.batches = "red", PixelSpec(size=EDGE), list[int]()

    def encode(self, pixels: Pixels) -> Embeddings:
        self.batches.append(len(pixels))
        share = (pixels == (255, 0, 0)).all(axis=3).mean(axis=(1, 2))
        vectors = np.zeros((len(pixels), EMBEDDING_SIZE), np.float32)
        vectors[:, 0], vectors[:, 1] = share, np.sqrt(1 - share**2)
        return vectors


def red_cell(row: int, column: int) -> Pixels:
    """Blue, with one of the 8 x 8 places red."""
    picture = np.full((EDGE, EDGE, 3), (0, 0, 255), np.uint8)
    step = EDGE // CELLS
    picture[row * step : (row + 1) * step, column * step : (column + 1) * step] = (255, 0, 0)
    return picture


@pytest.mark.parametrize("place", [(0, 0), (3, 5), (7, 7), (0, 4)])
def test_heat_lies_where_the_likeness_lies(place: tuple[int, int]) -> None:
    encoder, query = RedEncoder(), axis_vector(1)
    picture = red_cell(*place)
    before = picture.copy()
    heat = heat_map(encoder, picture, query)
    assert encoder.batches == [1 + 9 * 9]
    assert (picture == before).all()
    share = 1 / CELLS**2
    assert heat.score == pytest.approx(share)
    # Every patch over the place takes all of the likeness: four of its own four, two of four beside
    # it, one of four at its corners, none further away.
    wanted = np.zeros((CELLS + 2, CELLS + 2))
    wanted[place[0] : place[0] + 3, place[1] : place[1] + 3] = np.outer(
        [0.5, 1, 0.5], [0.5, 1, 0.5]
    )
    wanted = wanted[1:-1, 1:-1]
    assert heat.drops == pytest.approx(share * wanted, abs=1e-6)
    assert heat.values == pytest.approx(wanted, abs=1e-6)
    assert heat.peak == pytest.approx(share)
    assert heat.values.dtype == heat.drops.dtype == np.float32


def test_noise_is_not_blown_up_to_heat() -> None:
    class Faint(RedEncoder):
        def encode(self, pixels: Pixels) -> Embeddings:
            vectors = super().encode(pixels)
            share = vectors[:, 0] / 10
            vectors[:, 0], vectors[:, 1] = share, np.sqrt(1 - share**2)
            return vectors

    heat = heat_map(Faint(), red_cell(3, 3), axis_vector(1))
    assert heat.values.max() == pytest.approx(0.15625)
    nothing = heat_map(RedEncoder(), np.zeros((EDGE, EDGE, 3), np.uint8), axis_vector(1))
    assert (nothing.values == 0).all()


def test_what_stands_against_the_likeness_is_cold() -> None:
    heat = heat_map(RedEncoder(), red_cell(2, 2), axis_vector(-1))
    assert heat.drops[2, 2] == pytest.approx(-1 / 64)
    assert (heat.values == 0).all()


@pytest.mark.parametrize(
    "picture", [np.zeros((16, 16, 3), np.uint8), np.zeros((EDGE, EDGE, 3), np.float32)]
)
def test_heat_refuses_another_geometry(picture: Pixels) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(32, 32, 3\)"):
        heat_map(RedEncoder(), picture, axis_vector(1))


def tinted(picture: Image.Image) -> NDArray[np.bool_]:
    pixels = np.asarray(picture, np.int64)
    return np.ptp(pixels, axis=2) > 40


def test_the_overlay_tints_only_where_it_is_warm() -> None:
    heat = np.zeros((CELLS, CELLS), np.float32)
    heat[:4, :4] = 1
    drawn = overlay(Image.new("RGB", (160, 80), (255, 0, 0)), heat)
    assert (drawn.mode, drawn.size) == ("RGB", (160, 80))
    warm = tinted(drawn)
    assert warm[:30, :60].all()
    assert not warm[50:].any()
    assert not warm[:, 100:].any()


def test_heat_is_laid_where_the_encoder_looked() -> None:
    heat = np.ones((CELLS, CELLS), np.float32)
    wide = Image.new("RGB", (200, 100))
    assert tinted(overlay(wide, heat)).all()
    covered = tinted(overlay(wide, heat, "cover"))
    assert covered[:, 50:150].all()
    assert not covered[:, :50].any()
    assert not covered[:, 150:].any()
    heat[2:-2] = 0  # the bars above and below a wide picture that is contained
    assert not tinted(overlay(wide, heat, "contain"))[20:80].any()


def test_hotter_is_lighter() -> None:
    red, green, blue = (ramp() / 255).T
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    assert (np.diff(luminance) > 0).all()


def clusters(*centroids: NDArray[np.float32]) -> Clustering:
    return Clustering("mean-color", "g1", np.stack(centroids))


def test_margins_worked_by_hand() -> None:
    two = clusters(axis_vector(1), axis_vector(0, 1))
    # On the unit circle at 3-4-5: distances^2 are 2 - 2 * 0.8 and 2 - 2 * 0.6.
    found = margin(two, axis_vector(0.8, 0.6))
    assert (found.cluster, found.next) == ("g1/0", "g1/1")
    assert found.distance == pytest.approx(0.4**0.5, rel=1e-5)
    assert found.next_distance == pytest.approx(0.8**0.5, rel=1e-5)
    # The plane is x = y: (0.8 - 0.6) / sqrt(2) away.
    assert found.border == pytest.approx(0.2 / 2**0.5, rel=1e-4)
    beyond = margin(two, axis_vector(0.8, 0.6), cluster=1)
    assert (beyond.cluster, beyond.next) == ("g1/1", "g1/0")
    assert beyond.border == pytest.approx(-0.2 / 2**0.5, rel=1e-4)


def test_margins_at_the_edges() -> None:
    alone = margin(clusters(axis_vector(1)), axis_vector(0, 1))
    assert alone == Margin("g1/0", pytest.approx(2**0.5), None, None, None)
    same = clusters(axis_vector(1), axis_vector(1))
    assert margin(same, axis_vector(0, 1)).border == 0
    with pytest.raises(ValueError, match=r"cluster is 2: it must be in \[0, 2\)"):
        margin(same, axis_vector(1), cluster=2)
    with pytest.raises(VectorRefused):
        margin(same, np.ones(3, np.float32))


def test_hash_bits() -> None:
    assert hash_distance("0" * 16, "0" * 16) == 0
    assert hash_distance("0" * 16, "f" * 16) == 64
    assert hash_distance("8000000000000001", "0000000000000003") == 2
    for wrong in ("", "0" * 15, "0" * 17, "g" * 16, "-" + "0" * 15):
        with pytest.raises(ValueError, match="must be 16 hex digits"):
            hash_distance("0" * 16, wrong)


def test_the_line_for_people() -> None:
    at = Margin("g1/3", 0.7, "g1/5", 0.8, 0.1234)
    assert explanation(Explanation(at, 99.87, 14)) == (
        "cluster g1/3, 0.12 from the border to g1/5 · percentile 99.8 · 14 of 64 hash bits differ"
    )
    assert explanation(Explanation(at, 100.0, 1)).endswith(
        "· percentile 100 · 1 of 64 hash bits differs"
    )
    assert explanation(Explanation(Margin("g1/0", 0.5))) == "cluster g1/0"
    past = Margin("g1/3", 0.8, "g1/5", 0.7, -0.03)
    assert explanation(Explanation(past)) == "cluster g1/3, 0.03 beyond the border to g1/5"


def test_the_json_names_everything() -> None:
    heat = heat_map(RedEncoder(), red_cell(0, 0), axis_vector(1))
    value = explanation_json(Explanation(Margin("g1/3", 0.7, "g1/5", 0.8, 0.1), 99.5, 3, heat))
    assert value.pop("heat")[0][:3] == [0.0156, 0.0078, 0.0]
    assert value == {
        "cluster": "g1/3",
        "distance": 0.7,
        "next_cluster": "g1/5",
        "next_distance": 0.8,
        "border": 0.1,
        "percentile": 99.5,
        "hash_bits": 3,
    }
    bare = explanation_json(Explanation(Margin("g1/0", 0.5)))
    assert [key for key, known in bare.items() if known is None] == [
        *("next_cluster", "next_distance", "border", "percentile", "hash_bits", "heat")
    ]


def test_the_heat_of_a_result_is_read_from_its_file(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(red_cell(1, 6)).save(buffer, "PNG")
    (tmp_path / "red.png").write_bytes(buffer.getvalue())
    (tmp_path / "broken.png").write_bytes(buffer.getvalue()[:60])

    def heat(name: str) -> object:
        result = ScoredImage("1", 0.5, record(name))
        return result_heat(result, axis_vector(1), RedEncoder(), {"/photos": tmp_path}, Limits())

    found = heat("red.png")
    assert isinstance(found, tuple)
    assert np.unravel_index(found[0].values.argmax(), (CELLS, CELLS)) == (1, 6)
    assert found[1].size == (EDGE, EDGE)
    assert heat("broken.png") is None
    assert heat("gone.png") is None
    bare = ScoredImage("1", 0.5, None)
    assert result_heat(bare, axis_vector(1), RedEncoder(), {}, Limits()) is None
