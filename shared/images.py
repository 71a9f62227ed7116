"""Safe decoding: the only way from a file to the network's input.

Training, scan, query and evaluation all come through `decode` (or `pixels`, which is `decode` for
one geometry), so that one picture has one set of pixels wherever it enters.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from shared.colors import in_srgb, profile_for
from shared.grounds import LIGHT, RGB, ground_for, is_hidden, is_transparent, laid_on
from shared.modes import eight_bit
from shared.opening import Opened, opened, refusals
from shared.perceptual_hash import HASH_EDGE, perceptual_hash
from shared.reading import Limits, content_hash, read_file
from shared.types import PIXELS_VERSION, Decoded, Pixels, PixelSpec

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

    Applies EXIF orientation, scales 16-bit to 8, lays transparency on a ground, takes the first
    frame of an animation and, for specs of version 2, converts colours to sRGB. The arrays are
    contiguous and read-only, and each depends on its own spec alone, whatever else is asked for,
    but where that `shares`.

    Raises `ImageRefused` with the reason.
    """
    limits = limits or Limits()
    with refusals():
        first = opened(data, limits)
        loaded = _at_scales(first, data, specs or [PixelSpec(size=HASH_EDGE)], limits)
        smallest = min(loaded, key=lambda one: one.width)
        old = smallest.hash(1)
        new = old if smallest.looks_the_same else smallest.hash(PIXELS_VERSION)
        width, height = first.size[::-1] if first.turn in (5, 6, 7, 8) else first.size
        return Decoded(
            pixels=tuple(
                _array(one.fitted(spec)) for one, spec in zip(loaded, specs, strict=bool(specs))
            ),
            sha256=content_hash(data),
            phash=new,
            old_phash=old,
            width=width,
            height=height,
            format=first.format,
            taken_at=first.taken_at,
        )


def pixels(
    source: str | bytes | os.PathLike[str], spec: PixelSpec, limits: Limits | None = None
) -> Pixels:
    """uint8 (size, size, 3) of a file (given by path) or of a picture's bytes.

    Raises `ImageRefused` with the reason.
    """
    limits = limits or Limits()
    data = source if isinstance(source, bytes) else read_file(source, limits)[0]
    with refusals():
        (loaded,) = _at_scales(opened(data, limits), data, [spec], limits)
        return _array(loaded.fitted(spec))


def thumbnail(data: bytes, edge: int, limits: Limits | None = None) -> Image.Image:
    """The picture in RGB, upright, at most `edge` pixels wide and high: its colours as sRGB, its
    transparency on a ground that shows it, as version 2 of `PixelSpec`.

    Raises `ImageRefused`.
    """
    return _small(data, edge, limits or Limits())[0]


def seen(data: bytes, limits: Limits | None = None) -> tuple[Pixels, Pixels | None]:
    """All pixels as a person sees them, upright: uint8 (height, width, 3) as `thumbnail` has them,
    and their alpha (height, width), None where all is opaque. Raises `ImageRefused`."""
    rgb, alpha = _small(data, None, limits or Limits())
    levels = None if alpha is None else np.asarray(alpha)
    return np.asarray(rgb), None if levels is None or (levels == 255).all() else levels


def jpeg_bytes(image: Image.Image, quality: int = 85) -> bytes:
    """The image as a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _small(data: bytes, edge: int | None, limits: Limits) -> tuple[Image.Image, Image.Image | None]:
    with refusals():
        first = opened(data, limits)
        if edge is not None:
            first.image.draft("RGB", (edge, edge))
        loaded = _Loaded.of(first)
        image, ground = loaded.managed, loaded.ground(LIGHT)
        if image.mode in ("RGBA", "LA") and not loaded.transparent:
            image = image.convert(image.mode[:-1])
        if edge is not None:
            image.thumbnail((edge, edge), Image.Resampling.BILINEAR)
        image = _turned(in_srgb(image, loaded.profile), first.turn)
        alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
        return laid_on(image, ground), alpha


@dataclass(slots=True)
class _Loaded:
    """A picture in memory at one scale, in modes that resample well.

    `plain`: its numbers as they are, as version 1 of `PixelSpec` takes them. `managed`: what
    becomes sRGB by the `profile` once it is small, as version 2 does; its alpha is left out unless
    it is `transparent`.
    """

    plain: Image.Image
    managed: Image.Image
    profile: bytes | None
    transparent: bool
    turn: int
    _ground: RGB | None = None

    @classmethod
    def of(cls, picture: Opened) -> _Loaded:
        """Load a picture's pixels."""
        image = picture.image
        inks = profile_for(image) if image.mode == "CMYK" else None
        plain = eight_bit(image)
        plain.load()
        if inks is not None:
            return cls(plain, image, inks, False, picture.turn)
        profile = profile_for(image, plain.mode)
        return cls(plain, plain, profile, is_transparent(plain), picture.turn)

    @property
    def width(self) -> int:
        """Pixels, at this scale."""
        return self.plain.width

    @property
    def looks_the_same(self) -> bool:
        """Whether both versions show the same picture on white."""
        on_white = self.ground(LIGHT) == LIGHT and not is_hidden(self.plain)
        return self.profile is None and on_white

    def ground(self, light: RGB) -> RGB:
        """The ground that version 2 lays the picture on, where `light` is the usual one."""
        if not self.transparent:
            return light
        if light != LIGHT:
            return ground_for(self.managed, light)
        if self._ground is None:
            self._ground = ground_for(self.managed)
        return self._ground

    def fitted(self, spec: PixelSpec) -> Image.Image:
        """The picture in RGB in a spec's geometry, upright."""
        if spec.version == 1:
            small, ground = _resized(self.plain, spec), spec.ground
        else:
            small = in_srgb(self._seen(spec), self.profile)
            ground = self.ground(spec.ground)
        small = _turned(laid_on(small, ground), self.turn)
        if small.size == (spec.size, spec.size):
            return small
        padded = Image.new("RGB", (spec.size, spec.size), ground)
        padded.paste(small, ((spec.size - small.width) // 2, (spec.size - small.height) // 2))
        return padded

    def _seen(self, spec: PixelSpec) -> Image.Image:
        """`managed`, resized. Channel by channel, no copy of a large picture is made."""
        if self.transparent or self.managed.mode not in ("RGBA", "LA"):
            return _resized(self.managed, spec)
        colors = self.managed.getbands()[:-1]
        small = [_resized(self.managed.getchannel(band), spec) for band in colors]
        return Image.merge("RGB", small) if len(small) == 3 else small[0]

    def hash(self, version: int) -> str:
        """The perceptual hash, of the picture as a version of `PixelSpec` has it."""
        spec = PixelSpec(size=HASH_EDGE, filter="box", version=version)
        return perceptual_hash(self.fitted(spec))


def _at_scales(
    first: Opened, data: bytes, specs: Sequence[PixelSpec], limits: Limits
) -> list[_Loaded]:
    """The loaded picture for each spec: a JPEG at the scale that this spec alone would give it, or
    at another's that it shares."""
    loaded: dict[tuple[int, int], _Loaded] = {}
    found = list[_Loaded]()
    for spec in specs:
        finer = [one for one, other in zip(found, specs, strict=False) if other.size >= spec.size]
        if spec.shares and finer:
            found.append(finer[0])
            continue
        picture = opened(data, limits) if loaded and first.has_scales else first
        if spec.draft:
            # Twice the target keeps the resampling filter in charge of the result's sharpness.
            edge = 2 * max(HASH_EDGE, spec.size)
            picture.image.draft("RGB", (edge, edge))
        size = picture.image.size
        if size not in loaded:
            loaded[size] = _Loaded.of(picture)
        found.append(loaded[size])
    return found


def _resized(image: Image.Image, spec: PixelSpec) -> Image.Image:
    size = (spec.size, spec.size)
    width, height = image.size
    if spec.fit == "stretch":
        return image.resize(size, _FILTERS[spec.filter])
    if spec.fit == "cover":
        edge = min(width, height)
        left, top = (width - edge) / 2, (height - edge) / 2
        box = (left, top, left + edge, top + edge)
        return image.resize(size, _FILTERS[spec.filter], box)
    scale = spec.size / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image.resize(inner, _FILTERS[spec.filter])


def _array(image: Image.Image) -> Pixels:
    pixels = np.ascontiguousarray(np.asarray(image))
    pixels.setflags(write=False)
    return pixels


def _turned(image: Image.Image, turn: int) -> Image.Image:
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image
