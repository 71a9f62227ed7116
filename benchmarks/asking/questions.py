"""Photographs to ask with, and how they travel."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

EDGE = 512
BOUNDARY = "lookalike-benchmark"


def questions(photographs: Path, count: int, seed: int) -> Iterator[bytes]:
    """Photographs of the folder as JPEGs of 512 x 512 pixels, slightly cropped.

    Raises ValueError if there is none.
    """
    files = [file for file in photographs.rglob("*") if file.suffix.lower() in (".jpg", ".png")]
    if not files:
        raise ValueError(f"no .jpg or .png lies below {photographs}: name a folder of photographs")
    for file in random.Random(seed).sample(sorted(files), min(count, len(files))):
        with Image.open(file) as image:
            width, height = image.size
            box = (width * 0.05, height * 0.05, width * 0.95, height * 0.95)
            small = image.convert("RGB").resize((EDGE, EDGE), Image.Resampling.BICUBIC, box)
        buffer = BytesIO()
        small.save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def body(picture: bytes) -> bytes:
    """A form with the picture in it, as a browser sends it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\n'
    return f"{head}\r\n".encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()
