"""Pictures that leave the machine without the place they were taken at."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ExifTags, Image

from searcher.service.cleaning import gif, jpeg, png, tiff, webp
from searcher.service.cleaning.words import Odd
from shared.camera_raw import raw_format
from shared.errors import ImageRefused
from shared.formats import PILLOW
from shared.images import thumbnail
from shared.reading import Limits

_MAX_EDGE = 65_500
"""Pixels; libjpeg writes no larger picture."""

_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A picture's bytes and their media type."""

    data: bytes
    media_type: str


def without_position(data: bytes, limits: Limits) -> Cleaned:
    """A picture file that does not tell where it was taken; what tells nothing comes back as is.

    Pixels, orientation, colour profile and capture date stay. Removed is whatever is not known to
    be harmless: GPS, maker notes, IPTC, XMP with a place, unknown tags, pictures and films behind
    the first picture of a JPEG. What cannot be cleaned surely (HEIC, AVIF, camera raw, odd or
    damaged files) becomes an upright JPEG of quality 95 in sRGB with no metadata. Words that people
    wrote are not understood. Raises `ImageRefused` if that JPEG cannot be made either.
    """
    # Most raw files are TIFF files by their beginning; nobody knows all that cameras write there.
    for begins, media_type, cleaned in () if raw_format(data) else _FORMATS:
        if data.startswith(begins):
            try:
                found = cleaned(data, limits)
                if found == data:
                    return Cleaned(data, media_type)
                if _turn(found, limits) == _turn(data, limits):
                    return Cleaned(found, media_type)
            except Odd:
                pass
            break
    return Cleaned(_rendition(data, limits), "image/jpeg")


_Clean = Callable[[bytes, Limits], bytes]


def _clean(of_format: Callable[[bytes], bytes]) -> _Clean:
    return lambda data, _: of_format(data)


def _webp(data: bytes, _: Limits) -> bytes:
    if data[8:12] != b"WEBP":
        raise Odd("another kind of RIFF")
    return webp.cleaned(data)


def _tiff(data: bytes, limits: Limits) -> bytes:
    """Lengths of strips are often wrong, and decoders forgive it: look at the pixels."""
    found = tiff.cleaned(data)
    if found != data and _upright(found, limits).tobytes() != _upright(data, limits).tobytes():
        raise Odd("pixels where none should be")
    return found


def _as_it_is(data: bytes, limits: Limits) -> bytes:
    """A BMP has no room for a place."""
    thumbnail(data, 1, limits)
    return data


_FORMATS: tuple[tuple[bytes, str, _Clean], ...] = (
    (b"\xff\xd8\xff", "image/jpeg", _clean(jpeg.cleaned)),
    (png.SIGNATURE, "image/png", _clean(png.cleaned)),
    (b"RIFF", "image/webp", _webp),
    (b"GIF8", "image/gif", _clean(gif.cleaned)),
    (b"II*\0", "image/tiff", _tiff),
    (b"MM\0*", "image/tiff", _tiff),
    (b"BM", "image/bmp", _as_it_is),
)


def _turn(data: bytes, limits: Limits) -> int:
    """EXIF orientation, wherever it is told: XMP may hold it too. Raises `Odd`."""
    try:
        with Image.open(io.BytesIO(data), formats=PILLOW) as image:
            if image.width * image.height > limits.max_pixels:  # asking a PNG decodes it
                raise Odd("too many pixels to look")
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # decoders raise anything on damaged input
        raise Odd("orientation unknown") from error


def _upright(data: bytes, limits: Limits) -> Image.Image:
    return thumbnail(data, _MAX_EDGE, limits)


def _rendition(data: bytes, limits: Limits) -> bytes:
    image, out = _upright(data, limits), io.BytesIO()
    image.info = {}  # Pillow writes comments that it finds here
    try:
        image.save(out, "JPEG", quality=_QUALITY)
    except (OSError, ValueError) as error:
        raise ImageRefused(f"cannot be rewritten without its position: {error}") from error
    return out.getvalue()
