"""Safe decoding: the only way from a file to the network's input.

Training, scan, query and evaluation all come through `decode` (or `pixels`, which is `decode` for
one geometry), so that one picture has one set of pixels wherever it enters.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

# Both register themselves; without them Pillow would import all of its 43 decoders to find one.
from PIL import TiffImagePlugin as Tiff
from PIL import WebPImagePlugin as _WebP  # noqa: F401

from shared.errors import ImageRefused
from shared.modes import eight_bit
from shared.reading import Limits, content_hash, read_file
from shared.types import Decoded, Pixels, PixelSpec

# `decode` checks `max_pixels` itself before any pixel is decoded. Pillow's own check only warns up
# to twice its limit, and a warning is no decision.
Image.MAX_IMAGE_PIXELS = None
# Pillow's remarks on sloppy files (odd EXIF, palette transparency) are of no use to anyone here.
warnings.filterwarnings("ignore", module=r"PIL\..*")

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is decoded. Never Pillow's full list: it registers 43 decoders, one runs Ghostscript."""

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
"""ISO/IEC 23008-12; only a file that begins so makes its library load."""

_WEBP_SHARE = 2
"""libwebp and Pillow together hold a WebP four times over, any other picture at most twice."""

_HASH_EDGE = 32
_HASH_FREQUENCIES = 8
_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(data: bytes, specs: Sequence[PixelSpec], limits: Limits | None = None) -> Decoded:
    """A picture's bytes as pixels in each wanted geometry, with what a person would see.

    Applies EXIF orientation, scales 16-bit to 8, lays transparency on the spec's ground, takes the
    first frame of an animation. The arrays are contiguous and read-only, and each depends on its
    own spec alone, whatever else is asked for, but where that `shares`.

    Raises `ImageRefused` with the reason.
    """
    with _refusals():
        return _decode(data, specs, limits or Limits())


def pixels(
    source: str | bytes | os.PathLike[str], spec: PixelSpec, limits: Limits | None = None
) -> Pixels:
    """uint8 (size, size, 3) of a file (given by path) or of a picture's bytes.

    Raises `ImageRefused` with the reason.
    """
    limits = limits or Limits()
    data = source if isinstance(source, bytes) else read_file(source, limits)[0]
    with _refusals():
        image = _open(data, limits)
        turn = _orientation(image)
        (scaled,) = _at_scales(image, data, [spec], limits)
        return _array(_fitted(scaled, spec, turn))


def thumbnail(data: bytes, edge: int, limits: Limits | None = None) -> Image.Image:
    """The picture in RGB, upright, at most `edge` pixels wide and high. Raises `ImageRefused`."""
    with _refusals():
        image = _open(data, limits or Limits())
        turn = _orientation(image)
        image.draft("RGB", (edge, edge))
        image = eight_bit(image)
        image.thumbnail((edge, edge), Image.Resampling.BILINEAR)
        return _turned(_on_ground(image, PixelSpec().ground), turn)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Whatever a decoder raises, as `ImageRefused` with one line of reason."""
    try:
        yield
    except ImageRefused:
        raise
    except UnidentifiedImageError as error:
        raise ImageRefused(f"is not an image that can be read ({', '.join(FORMATS)})") from error
    except MemoryError as error:
        raise ImageRefused("needs more memory to decode than there is") from error
    except Exception as error:  # decoders raise anything on damaged input
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageRefused(f"is damaged: {reason[:200]}") from error


def _decode(data: bytes, specs: Sequence[PixelSpec], limits: Limits) -> Decoded:
    image = _open(data, limits)
    form = {"MPO": "JPEG", "HEIF": "HEIC"}.get(str(image.format), str(image.format))
    turn, taken_at = _orientation(image), _taken_at(image)
    width, height = image.size[::-1] if turn in (5, 6, 7, 8) else image.size
    scaled = _at_scales(image, data, specs or [PixelSpec(size=_HASH_EDGE)], limits)
    return Decoded(
        pixels=tuple(
            _array(_fitted(source, spec, turn))
            for source, spec in zip(scaled, specs, strict=bool(specs))
        ),
        sha256=content_hash(data),
        phash=_perceptual_hash(min(scaled, key=lambda source: source.width), turn),
        width=width,
        height=height,
        format=form,
        taken_at=taken_at,
    )


def _at_scales(
    first: Image.Image, data: bytes, specs: Sequence[PixelSpec], limits: Limits
) -> list[Image.Image]:
    """The loaded image for each spec: a JPEG at the scale that this spec alone would give it, or
    at another's that it shares."""
    loaded: dict[tuple[int, int], Image.Image] = {}
    found = list[Image.Image]()
    for spec in specs:
        finer = [one for one, other in zip(found, specs, strict=False) if other.size >= spec.size]
        if spec.shares and finer:
            found.append(finer[0])
            continue
        image = _open(data, limits) if loaded and first.format in ("JPEG", "MPO") else first
        if spec.draft:
            # Twice the target keeps the resampling filter in charge of the result's sharpness.
            edge = 2 * max(_HASH_EDGE, spec.size)
            image.draft("RGB", (edge, edge))
        size = image.size
        if size not in loaded:
            loaded[size] = eight_bit(image)
            loaded[size].load()
        found.append(loaded[size])
    return found


def _open(data: bytes, limits: Limits) -> Image.Image:
    heic = data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS
    if heic and not _heic_works():
        raise ImageRefused("looks like HEIC, which needs an extra: pip install 'lookalike[heic]'")
    image = Image.open(io.BytesIO(data), formats=("HEIF",) if heic else FORMATS)
    width, height = image.size
    share = _WEBP_SHARE if image.format == "WEBP" else 1
    allowed = f"max_pixels={limits.max_pixels}" + (" allows for WebP" if share > 1 else "")
    if width * height * share > limits.max_pixels:
        raise ImageRefused(f"has {width} x {height} pixels, more than {allowed}")
    if width < 1 or height < 1:
        raise ImageRefused(f"has {width} x {height} pixels")
    if isinstance(image, Tiff.TiffImageFile):
        # libtiff holds a whole tile, however small the picture is that is cut from it.
        wide, high = (image.tag_v2.get(tag, 1) for tag in (Tiff.TILEWIDTH, Tiff.TILELENGTH))
        if wide * high > limits.max_pixels:
            raise ImageRefused(f"has tiles of {wide} x {high} pixels, more than {allowed}")
    if image.format in ("PNG", "TIFF"):
        # Asking a PNG for its EXIF loads it, and that is where errors are forgiven: load it here.
        # A TIFF has its final size only when it is loaded, because Pillow turns it then.
        image.load()
    return image


@functools.cache
def _heic_works() -> bool:
    """Add HEIC to Pillow's formats if the `heic` extra is installed; whether it is."""
    import importlib

    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turned it when it was loaded
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost the picture
        return 1


def _taken_at(image: Image.Image) -> str | None:
    """EXIF DateTimeOriginal as ISO 8601 without a zone, or None."""
    try:
        exif = image.getexif()
        text = str(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal))
        return datetime.fromisoformat(text.strip("\0 ").replace(":", "-", 2)).isoformat()
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost the picture
        return None


def _fitted(image: Image.Image, spec: PixelSpec, turn: int) -> Image.Image:
    size = (spec.size, spec.size)
    width, height = image.size
    if spec.fit == "stretch":
        small = image.resize(size, _FILTERS[spec.filter])
    elif spec.fit == "cover":
        edge = min(width, height)
        left, top = (width - edge) / 2, (height - edge) / 2
        box = (left, top, left + edge, top + edge)
        small = image.resize(size, _FILTERS[spec.filter], box)
    else:
        scale = spec.size / max(width, height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = image.resize(inner, _FILTERS[spec.filter])
    small = _turned(_on_ground(small, spec.ground), turn)
    if small.size != size:
        padded = Image.new("RGB", size, spec.ground)
        padded.paste(small, ((spec.size - small.width) // 2, (spec.size - small.height) // 2))
        small = padded
    return small


def _array(image: Image.Image) -> Pixels:
    pixels = np.ascontiguousarray(np.asarray(image))
    pixels.setflags(write=False)
    return pixels


def _on_ground(image: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    backdrop = Image.new("RGBA", image.size, (*ground, 255))
    return Image.alpha_composite(backdrop, image.convert("RGBA")).convert("RGB")


def _turned(image: Image.Image, turn: int) -> Image.Image:
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def _perceptual_hash(image: Image.Image, turn: int) -> str:
    """64 bits, 16 hex digits: signs of the low DCT frequencies against their median.

    The hash of Zauner, *Implementation and benchmarking of perceptual image hash functions* (2010).
    """
    small = image.resize((_HASH_EDGE, _HASH_EDGE), Image.Resampling.BOX)
    grey = _turned(_on_ground(small, (255, 255, 255)), turn).convert("L")
    # Rounded, so that a flat picture has no frequencies rather than the noise of its arithmetic.
    frequencies = (_DCT @ np.asarray(grey, dtype=np.float64) @ _DCT.T).round(6).ravel()
    # An odd number of them, so that the median is one of them; NumPy's own loads its masked arrays.
    middle = (frequencies.size - 1) // 2
    median = np.partition(frequencies[1:], middle)[middle]
    return np.packbits(frequencies > median).tobytes().hex()


def _dct_rows() -> NDArray[np.float64]:
    frequency = np.arange(_HASH_FREQUENCIES)[:, None]
    place = np.arange(_HASH_EDGE)[None, :]
    angle = np.pi * frequency * (2 * place + 1) / (2 * _HASH_EDGE)
    return cast("NDArray[np.float64]", np.cos(angle))


_DCT = _dct_rows()


def jpeg_bytes(image: Image.Image, quality: int = 85) -> bytes:
    """The image as a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
