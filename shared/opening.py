"""Opens a picture's bytes with the one decoder that they are for, within the limits."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

# These register themselves; without them Pillow would import all of its decoders to find one.
from PIL import AvifImagePlugin as Avif
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL import TiffImagePlugin as Tiff
from PIL import WebPImagePlugin as _WebP  # noqa: F401

from shared.camera_raw import developed, raw_format
from shared.capture_date import capture_date
from shared.errors import ImageRefused
from shared.formats import FORMATS, PILLOW, of_decoder
from shared.reading import Limits
from shared.side_chunks import without_side_chunks

# `opened` checks `max_pixels` itself before any pixel is decoded. Pillow's own check only warns up
# to twice its limit, and a warning is no decision.
Image.MAX_IMAGE_PIXELS = None
# Pillow's remarks on sloppy files (odd EXIF, palette transparency) are of no use to anyone here.
warnings.filterwarnings("ignore", module=r"PIL\..*")
# Pictures are decoded side by side already, in processes that share the machine.
Avif.DEFAULT_MAX_THREADS = 1

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_CONTAINER_BRANDS = {b"mif1", b"msf1"}
"""ISO/IEC 23008-12; only a file that begins so makes its library load."""

_SHARES = {"WEBP": 2, "AVIF": 2}
"""libwebp, libavif and Pillow hold a picture four times over, other decoders at most twice."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture whose pixels need not be loaded yet.

    `format`: the name that is stored. `size`: width and height of the picture as it lies in the
    file, which of camera raw is twice that of `image`. `turn`: the EXIF orientation, 1 to 8, that
    `image` still needs.
    """

    image: Image.Image
    format: str
    size: tuple[int, int]
    turn: int
    taken_at: str | None

    @property
    def has_scales(self) -> bool:
        """Whether it can be decoded at a fraction of its size."""
        return self.image.format in ("JPEG", "MPO")


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Whatever a decoder raises, as `ImageRefused` with one line of reason."""
    try:
        yield
    except ImageRefused:
        raise
    except UnidentifiedImageError as error:
        named = ", ".join(name for name, one in FORMATS.items() if one.extra is None)
        raise ImageRefused(f"is not an image that can be read ({named})") from error
    except MemoryError as error:
        raise ImageRefused("needs more memory to decode than there is") from error
    except Exception as error:  # decoders raise anything on damaged input
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageRefused(f"is damaged: {reason[:200]}") from error


def opened(data: bytes, limits: Limits) -> Opened:
    """The picture in a file's bytes. Raises `ImageRefused`, or whatever its decoder raises."""
    raw = raw_format(data)
    if raw is not None:
        image, size = developed(data, raw, limits)
        return Opened(image, raw, size, 1, _taken_at_of_raw(data))
    image = _image(data, limits)
    return Opened(image, of_decoder(image.format), image.size, _turn(image), _taken_at(image))


def _image(data: bytes, limits: Limits) -> Image.Image:
    try:
        return _checked(data, limits)
    except ImageRefused:
        raise
    except Exception as error:
        # A chunk that holds no pixels must not cost the picture: try without those.
        for bare in without_side_chunks(data):
            with contextlib.suppress(Exception):
                return _checked(bare, limits)
        raise error


def _checked(data: bytes, limits: Limits) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_decoders(data))
    width, height = image.size
    share = _SHARES.get(str(image.format), 1)
    allowed = f"max_pixels={limits.max_pixels}"
    if share > 1:
        allowed += f" allows for {'WebP' if image.format == 'WEBP' else image.format}"
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


def _decoders(data: bytes) -> tuple[str, ...]:
    """The decoders to try. Raises `ImageRefused` where the one it needs is not installed."""
    if data[4:8] != b"ftyp":
        return PILLOW
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length, 4))}
    container = data[8:12] in _CONTAINER_BRANDS
    if data[8:12] in _AVIF_BRANDS or (container and brands & _AVIF_BRANDS):
        if not Avif.SUPPORTED:
            raise ImageRefused("looks like AVIF, which the installed Pillow was built without")
        return ("AVIF",)
    if data[8:12] in _HEIC_BRANDS or container:
        if not _heic_works():
            raise ImageRefused(
                "looks like HEIC, which needs an extra: pip install 'lookalike[heic]'"
            )
        return ("HEIF",)
    return PILLOW


@functools.cache
def _heic_works() -> bool:
    """Add HEIC to Pillow's formats if the `heic` extra is installed; whether it is."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _turn(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turned it when it was loaded
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost the picture
        return 1


def _taken_at(image: Image.Image) -> str | None:
    try:
        return capture_date(image.getexif())
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost the picture
        return None


def _taken_at_of_raw(data: bytes) -> str | None:
    """Of raw files that are TIFF files, which most are."""
    try:
        exif = Image.Exif()
        exif.load_from_fp(io.BytesIO(data))
        return capture_date(exif)
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost the picture
        return None
