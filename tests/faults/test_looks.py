"""Cases 55 to 58: pictures as a browser shows them, with an encoder that is trained here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.models import Models
from tests.daemons import indexer, searcher, status
from tests.faults.conftest import oracle
from tests.profiles import PRIMARIES, converted, ink_profile, overprint, rgb_profile
from tests.raws import raw_file
from tests.unit.test_images import encoded, scene
from tests.unit.test_images_grounds import BLACK, WHITE, drawing
from tests.unit.test_side_chunks import TOO_LARGE, chunk, png_with

SCENES = 6
INKS = [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (1, 1, 0, 0), (0, 1, 1, 0)]


def _patches(mode: str) -> Image.Image:
    """Six fields of inks, or the colours that they look like."""
    image = Image.new(mode, (96, 64))
    for number, amounts in enumerate(INKS):
        color = overprint(amounts) if mode == "RGB" else tuple(255 * one for one in amounts)
        left, top = 32 * (number % 3), 32 * (number // 3)
        image.paste(color, (left, top, left + 32, top + 32))
    return image


def _write(folder: Path) -> None:
    """The files of all four cases."""
    for number in range(SCENES):
        picture = scene(192, 128, seed=40 + number)
        (folder / f"{number}-srgb.png").write_bytes(encoded(picture))
        for name in PRIMARIES:
            profile = rgb_profile(name)
            data = encoded(converted(picture, profile), "JPEG", quality=95, icc_profile=profile)
            (folder / f"{number}-{name}.jpg").write_bytes(data)
    inks = encoded(_patches("CMYK"), "JPEG", quality=95, icc_profile=ink_profile())
    (folder / "inks.jpg").write_bytes(inks)
    (folder / "inks-srgb.png").write_bytes(encoded(_patches("RGB")))
    for number in range(6):
        (folder / f"white-{number}.png").write_bytes(encoded(drawing(number, WHITE)))
        (folder / f"black-{number}.png").write_bytes(encoded(drawing(number + 20, BLACK)))
    for name, one in TOO_LARGE.items():
        (folder / f"large {name}.png").write_bytes(png_with(one, image=scene(192, 128, seed=50)))
    wrong = chunk(b"tEXt", b"Comment\0hello", damaged=True)
    (folder / "wrong checksum.png").write_bytes(png_with(wrong, image=scene(192, 128, seed=50)))
    (folder / "sound.png").write_bytes(png_with(image=scene(192, 128, seed=50)))


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of all of them, and a home whose encoder was trained on it.

    A query that is itself indexed is left out of its results.
    """
    folder = tmp_path_factory.mktemp("looks")
    photos, home = folder / "photos", folder / "home"
    photos.mkdir()
    _write(photos)
    quick = ("--encoder", "autoencoder-plain", "--epochs", "2", "--k", "2")
    indexer("train", photos, *quick, "--home", home)
    indexer("scan", photos, "--home", home)
    bundle = Models(home / "models").bundle(status(home)["encoder"]["id"])
    assert bundle.manifest["pixels"]["version"] == 2
    return photos, home


def _results(looks: tuple[Path, Path], name: str) -> dict[str, dict[str, Any]]:
    photos, home = looks
    done = searcher("query", photos / name, "-n", "99", "--probes", "all", "--home", home, "--json")
    return {one["path"]: one for one in json.loads(done.stdout)["results"]}


@pytest.mark.case(55)
@pytest.mark.parametrize("number", range(SCENES))
def test_a_profile_makes_no_other_picture(looks: tuple[Path, Path], number: int) -> None:
    found = _results(looks, f"{number}-srgb.png")
    same = {f"{number}-{name}.jpg" for name in PRIMARIES}
    assert {found[name]["tier"] for name in same} <= {"exact", "near"}
    others = [one["score"] for path, one in found.items() if path[:2] != f"{number}-"]
    assert min(found[name]["score"] for name in same) > max(others)


@pytest.mark.case(55)
def test_inks_are_the_colours_of_their_profile(looks: tuple[Path, Path]) -> None:
    found = _results(looks, "inks-srgb.png")
    assert max(found.values(), key=lambda one: one["score"])["path"] == "inks.jpg"
    assert found["inks.jpg"]["tier"] in ("exact", "near")


@pytest.mark.case(56)
def test_a_chunk_beside_the_pixels_costs_nothing(looks: tuple[Path, Path]) -> None:
    _, home = looks
    assert oracle(home)["refused"] == []
    found = _results(looks, "sound.png")
    for name in [*(f"large {kind}.png" for kind in TOO_LARGE), "wrong checksum.png"]:
        assert found[name]["tier"] == "exact"
        assert found[name]["score"] > 0.999


@pytest.mark.case(57)
@pytest.mark.parametrize("color", ["white", "black"])
def test_drawings_on_transparent_ground_are_told_apart(
    looks: tuple[Path, Path], color: str
) -> None:
    found = _results(looks, f"{color}-0.png")
    others = [found[f"{color}-{number}.png"] for number in range(1, 6)]
    assert not [one for one in others if one["tier"] in ("exact", "near")]
    assert max(one["score"] for one in others) < 0.97


@pytest.mark.case(57)
def test_no_group_holds_two_different_drawings(looks: tuple[Path, Path]) -> None:
    groups = json.loads(searcher("groups", "--home", looks[1], "--json").stdout)["groups"]
    paths = [{one["path"] for one in group["images"]} for group in groups]
    assert not [group for group in paths if any("white-" in p or "black-" in p for p in group)]
    assert any({"sound.png", "wrong checksum.png"} <= group for group in paths)


@pytest.mark.case(58)
def test_camera_raw_is_refused_by_name_or_developed(home: Path, photos: Path) -> None:
    for name, make, dng in (("a.dng", b"MAKER", True), ("b.nef", b"NIKON", False)):
        (photos / name).write_bytes(raw_file(scene(640, 480), make=make, dng=dng))
    (photos / "camera.jpg").write_bytes(encoded(scene(640, 480), "JPEG", quality=95))
    indexer("scan", photos, "--home", home)
    refused = {one["path"]: one["reason"] for one in oracle(home)["refused"]}
    try:
        import rawpy  # noqa: F401
    except ImportError:
        assert refused == {
            name: f"looks like camera raw ({kind}), which needs an extra: "
            "pip install 'lookalike[raw]'"
            for name, kind in (("a.dng", "DNG"), ("b.nef", "NEF"))
        }
        return
    assert refused == {}
    done = searcher("query", photos / "camera.jpg", "-n", "2", "--home", home, "--json")
    assert {one["path"] for one in json.loads(done.stdout)["results"]} == {"a.dng", "b.nef"}
