"""Pictures with something in them: drawn at random, altered as people alter theirs."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw


def scene(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """Twenty ellipses and rectangles in colours of their own; every seed is another picture."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(level) for level in random.integers(90, 200, 3)))
    draw = ImageDraw.Draw(image)
    for number in range(20):
        x, y = random.uniform(0, size[0]), random.uniform(0, size[1])
        wide, high = random.uniform(15, size[0] / 3), random.uniform(15, size[1] / 3)
        color = tuple(int(level) for level in random.integers(0, 230, 3))
        (draw.ellipse if number % 2 else draw.rectangle)((x, y, x + wide, y + high), fill=color)
    return image


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """The image as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def cropped(image: Image.Image, share: float = 0.05) -> Image.Image:
    """Without a share of each of the four edges."""
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def stamped(image: Image.Image) -> Image.Image:
    """With a white box in the lower right corner."""
    copy = image.copy()
    box = (image.width * 0.58, image.height * 0.8, image.width * 0.97, image.height * 0.97)
    ImageDraw.Draw(copy).rectangle(box, fill=(250, 250, 250), outline=(20, 20, 20))
    return copy
