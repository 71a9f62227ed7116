"""What happens to pictures on their way: re-encoded, halved, cropped, brightened, stamped."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from shared.images import jpeg_bytes

QUALITY = 90
"""JPEG quality of everything but the re-encoded copies."""


def reencoded(image: Image.Image) -> bytes:
    """JPEG of quality 60."""
    return jpeg_bytes(image, 60)


def halved(image: Image.Image) -> bytes:
    """Half as wide and half as high."""
    size = max(1, image.width // 2), max(1, image.height // 2)
    return jpeg_bytes(image.resize(size, Image.Resampling.LANCZOS), QUALITY)


def cropped(image: Image.Image, share: float = 0.05) -> bytes:
    """Without 5 % at each of the four edges, so that 90 % of width and height remain."""
    x, y = round(image.width * share), round(image.height * share)
    return jpeg_bytes(image.crop((x, y, image.width - x, image.height - y)), QUALITY)


def cropped_aside(image: Image.Image) -> bytes:
    """Without 10 % at the left and the top."""
    x, y = round(image.width * 0.1), round(image.height * 0.1)
    return jpeg_bytes(image.crop((x, y, image.width, image.height)), QUALITY)


def brightened(image: Image.Image) -> bytes:
    """Every level times 1.1."""
    return jpeg_bytes(ImageEnhance.Brightness(image).enhance(1.1), QUALITY)


def stamped(image: Image.Image) -> bytes:
    """A white box with red text, 40 % of the width and 16 % of the height, at the lower right."""
    copy = image.copy()
    draw = ImageDraw.Draw(copy)
    width, height = copy.width * 0.4, copy.height * 0.16
    left, top = copy.width * 0.97 - width, copy.height * 0.97 - height
    box = (left, top, left + width, top + height)
    draw.rectangle(box, fill=(250, 250, 250), outline=(20, 20, 20))
    middle, font = (
        (left + width / 2, top + height / 2),
        ImageFont.load_default(max(6, height * 0.6)),
    )
    draw.text(middle, "SAMPLE", fill=(200, 20, 20), font=font, anchor="mm")
    return jpeg_bytes(copy, QUALITY)


def logo(image: Image.Image) -> bytes:
    """A dark disc, a fifth of the longer edge, at the upper left."""
    copy = image.copy()
    edge = max(copy.size) * 0.2
    ImageDraw.Draw(copy).ellipse((4, 4, 4 + edge, 4 + edge), fill=(30, 60, 140))
    return jpeg_bytes(copy, QUALITY)


def watermarked(image: Image.Image) -> bytes:
    """Text across the middle, through which a picture still shows by two thirds."""
    layer = Image.new("RGBA", image.size, (255, 255, 255, 0))
    font = ImageFont.load_default(max(6, image.width * 0.16))
    middle = (image.width / 2, image.height / 2)
    ImageDraw.Draw(layer).text(middle, "SAMPLE", fill=(255, 255, 255, 85), font=font, anchor="mm")
    return jpeg_bytes(Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB"), QUALITY)


def as_png(image: Image.Image) -> bytes:
    """The same pixels in another file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


Alteration = Callable[[Image.Image], bytes]

ALTERATIONS: Mapping[str, Alteration] = {
    "re-encoded (JPEG 60)": reencoded,
    "halved": halved,
    "cropped by 5 %": cropped,
    "brightened by 10 %": brightened,
    "stamped": stamped,
}
"""Those that the target counts."""

FURTHER: Mapping[str, Alteration] = {
    "cropped by 10 % at two edges": cropped_aside,
    "logo in another corner": logo,
    "watermark across": watermarked,
    "same pixels as PNG": as_png,
}
"""Others, for whoever wonders."""
