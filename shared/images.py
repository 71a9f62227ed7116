"""Safe decoding: the only way from a file to the network's input.

Training, scan, query and evaluation all come through `decode` (or `pixels`, which is `decode` for
one geometry), so that one picture has one set of pixels wherever it enters.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

# Both register themselves; without them Pillow would import all of its 43 decoders to find one.
from PIL import TiffImagePlugin as Tiff
from PIL import WebPImagePlugin as _WebP  # noqa: F401

from shared.errors import ImageChanged, ImageRefused
from shared.types import Decoded, Pixels, PixelSpec

# `decode` checks `max_pixels` itself before any pixel is decoded. Pillow's own check only warns up
# to twice its limit, and a warning is no decision.
Image.MAX_IMAGE_PIXELS = None
# Pillow's remarks on sloppy files (odd EXIF, palette transparency) are of no use to anyone here.
warnings.filterwarnings("ignore", module=r"PIL\..*")

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is decoded. Never Pillow's full list: it registers 43 decoders, one runs Ghostscript."""

_WEBP_SHARE = 2
"""libwebp and Pillow together hold a WebP four times over, any other picture at most twice."""

_STRIP_PIXELS = 4_000_000
"""Pixels that NumPy holds at a time while wide values are scaled to 8 bits."""

_HASH_EDGE = 32
_HASH_FREQUENCIES = 8
_FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_SIXTEEN_BIT = {"I;16", "I;16L", "I;16B", "I;16N"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused unseen: more pixels than `max_pixels`, more bytes than `max_file_bytes`.

    A WebP may have half of `max_pixels`, because decoding it takes twice the memory.
    """

    max_pixels: int = 100_000_000
    max_file_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Signature:
    """A file's state as the kernel tells it; any write, replacement or rename changes it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, found: os.stat_result) -> Signature:
        """The signature in a `stat` result."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def read_file(path: str | bytes | os.PathLike[str], limits: Limits) -> tuple[bytes, Signature]:
    """A regular file's bytes and its signature, the same before and after reading.

    Does not follow a link at the path's end and never waits on a FIFO. Raises `ImageRefused`
    (missing, unreadable, link, special, empty, too large) or `ImageChanged`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if os.path.islink(path):
            raise ImageRefused("is a symbolic link, and links are not followed") from error
        raise ImageRefused(f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise ImageRefused(f"cannot be read: {error}") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ImageRefused("is not a regular file")
        if before.st_size == 0:
            raise ImageRefused("is empty")
        if before.st_size > limits.max_file_bytes:
            raise ImageRefused(
                f"has {before.st_size} bytes, more than max_file_bytes={limits.max_file_bytes}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(before.st_size + 1)
        signature = Signature.of(before)
        if Signature.of(os.fstat(descriptor)) != signature or len(data) != signature.size:
            raise ImageChanged("changed while it was read")
    except OSError as error:
        raise ImageRefused(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return data, signature


def content_hash(data: bytes) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, specs: Sequence[PixelSpec], limits: Limits | None = None) -> Decoded:
    """A picture's bytes as pixels in each wanted geometry, with what a person would see.

    Applies EXIF orientation, scales 16-bit to 8, lays transparency on the spec's ground, takes the
    first frame of an animation. The arrays are contiguous and read-only, and each depends on its
    own spec alone, whatever else is asked for. Raises `ImageRefused` with the reason.
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
    return decode(data, [spec], limits).pixels[0]


def thumbnail(data: bytes, edge: int, limits: Limits | None = None) -> Image.Image:
    """The picture in RGB, upright, at most `edge` pixels wide and high. Raises `ImageRefused`."""
    with _refusals():
        image = _open(data, limits or Limits())
        turn = _orientation(image)
        image.draft("RGB", (edge, edge))
        image = _eight_bit(image)
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
        raise ImageRefused(f"is not an image that can be read ({', '.join(_formats())})") from error
    except MemoryError as error:
        raise ImageRefused("needs more memory to decode than there is") from error
    except Exception as error:  # decoders raise anything on damaged input
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageRefused(f"is damaged: {reason[:200]}") from error


def _decode(data: bytes, specs: Sequence[PixelSpec], limits: Limits) -> Decoded:
    image = _open(data, limits)
    form = "JPEG" if image.format == "MPO" else str(image.format)
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
    """The loaded image for each spec: a JPEG at the scale that this spec alone would give it."""
    loaded: dict[tuple[int, int], Image.Image] = {}
    found = []
    for spec in specs:
        image = _open(data, limits) if loaded and first.format in ("JPEG", "MPO") else first
        if spec.draft:
            # Twice the target keeps the resampling filter in charge of the result's sharpness.
            edge = 2 * max(_HASH_EDGE, spec.size)
            image.draft("RGB", (edge, edge))
        size = image.size
        if size not in loaded:
            loaded[size] = _eight_bit(image)
            loaded[size].load()
        found.append(loaded[size])
    return found


def _open(data: bytes, limits: Limits) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_formats())
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


def _formats() -> tuple[str, ...]:
    return (*FORMATS, "HEIF") if "HEIF" in Image.OPEN else FORMATS


def enable_heic() -> bool:
    """Add HEIC to the formats if the `heic` extra is installed; tells whether it is."""
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
        return datetime.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost the picture
        return None


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image in a mode of 8 bits a channel that resamples well: L, LA, RGB or RGBA."""
    if image.mode in _SIXTEEN_BIT:
        grey, key = _by_strips(image, _sixteen_bit_scale(image)), image.info.get("transparency")
        if isinstance(key, int):
            grey.putalpha(_by_strips(image, lambda values: np.uint8(255) * (values != key)))
        return grey
    if image.mode in ("I", "F"):
        return _by_strips(image, _wide_scale(image))
    if image.mode in ("1", "L", "LA", "RGB", "RGBA"):
        if "transparency" in image.info:
            return image.convert("RGBA")
        return image.convert("L") if image.mode == "1" else image
    if image.mode in ("P", "PA", "La", "RGBa"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("RGB")


_Scale = Callable[[NDArray[Any]], NDArray[np.uint8]]


def _by_strips(image: Image.Image, scale: _Scale) -> Image.Image:
    """`scale` applied to a one-channel image, some rows at a time to save memory."""
    image.load()
    width, height = image.size
    grey = np.empty((height, width), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        grey[top:bottom] = scale(np.asarray(image.crop((0, top, width, bottom))))
    return Image.fromarray(grey)


def _sixteen_bit_scale(image: Image.Image) -> _Scale:
    """The upper 8 of 16 bits; a TIFF may use 12 of them, or have its white at 0."""
    shift, flip = 8, 0
    if isinstance(image, Tiff.TiffImageFile):
        shift = 4 if image.tag_v2.get(Tiff.BITSPERSAMPLE) == (12,) else 8
        flip = 255 if image.tag_v2.get(Tiff.PHOTOMETRIC_INTERPRETATION) == 0 else 0
    return lambda values: ((values >> shift) ^ flip).astype(np.uint8)


def _wide_scale(image: Image.Image) -> _Scale:
    """Integers of 8 or 16 bits by their range, fractions in [0, 1], anything else by extremes."""
    low, high = cast("tuple[float, float]", image.getextrema())
    if low < 0 or high > 65535:
        base, span = low, max(high - low, 1e-12)
    else:
        base, span = 0.0, 1.0 if high <= 1 else 255.0 if high <= 255 else 65535.0

    def scale(values: NDArray[Any]) -> NDArray[np.uint8]:
        if not np.isfinite(values).all():
            raise ImageRefused("holds values that are not numbers")
        return ((values.astype(np.float64) - base) / span * 255).round().astype(np.uint8)

    return scale


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
    frequencies = (_DCT @ np.asarray(grey, dtype=np.float64) @ _DCT.T).round(6)
    bits = frequencies.ravel() > np.median(frequencies.ravel()[1:])
    return np.packbits(bits).tobytes().hex()


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
