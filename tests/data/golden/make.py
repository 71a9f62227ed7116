"""Make the golden pictures: `python -m tests.data.golden.make`.

Running this again changes the geometry of every encoder that was ever trained: the tests hold
today's pixels against these files, and vectors on users' disks were made from the same pixels. If
it must change, `PixelSpec` needs a new value for it, so that old encoders keep theirs.

Sources that exist are kept; the expected pixels are written anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from shared.images import pixels
from shared.types import PixelSpec
from tests.profiles import rgb_profile

FOLDER = Path(__file__).parent
SPECS = {
    "default": PixelSpec(),
    "contain": PixelSpec(
        size=32, fit="contain", filter="lanczos", draft=False, ground=(10, 120, 200)
    ),
    "version-2": PixelSpec(version=2),
    "version-2-contain": PixelSpec(size=32, fit="contain", filter="lanczos", version=2),
}
SOURCES = ("turned.jpg", "alpha.png", "palette.gif", "grey16.png", "prophoto.png", "light.png")


def scene(width: int, height: int) -> NDArray[np.uint8]:
    """uint8 (height, width, 3): ramps, a disc and bars, so that turns and crops show."""
    down, along = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    picture = np.stack([along, down, 1 - along * down], axis=-1) * 255
    picture[(down - 0.3) ** 2 + (along - 0.7) ** 2 < 0.03] = (250, 240, 20)
    picture[(down > 0.6) & (np.floor(along * 16) % 2 == 0)] = (20, 20, 60)
    return picture.astype(np.uint8)


def make_sources() -> None:
    """Write the sources that are missing."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    alpha = np.dstack([scene(90, 60), np.tile(np.linspace(0, 255, 90, dtype=np.uint8), (60, 1))])
    grey = (scene(80, 50)[..., 0].astype(np.uint16) << 8) + 77
    light = np.dstack([np.full((60, 90, 3), 250, np.uint8), scene(90, 60)[..., 0]])
    profile = rgb_profile("prophoto")
    pictures = {
        "turned.jpg": Image.fromarray(scene(420, 280)),
        "alpha.png": Image.fromarray(alpha),
        "palette.gif": Image.fromarray(scene(70, 100)).quantize(32),
        "grey16.png": Image.fromarray(grey),
        "prophoto.png": Image.fromarray(scene(80, 60)),
        "light.png": Image.fromarray(light),
    }
    for name, picture in pictures.items():
        if not (FOLDER / name).exists():
            options = {"turned.jpg": {"exif": exif}, "prophoto.png": {"icc_profile": profile}}
            picture.save(FOLDER / name, **options.get(name, {}))


def make_expected() -> None:
    """Write what each spec makes of each source."""
    for name in SOURCES:
        for kind, spec in SPECS.items():
            picture = Image.fromarray(pixels(FOLDER / name, spec))
            picture.save(FOLDER / f"{Path(name).stem}-{kind}.png")


if __name__ == "__main__":
    make_sources()
    make_expected()
