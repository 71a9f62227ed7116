"""Files and bytes that are no usable picture: decoded or `ImageRefused`, and nothing else."""

from __future__ import annotations

import io
import os
import random
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.errors import ImageChanged, ImageRefused
from shared.images import decode, pixels, thumbnail
from shared.reading import Limits, Signature, read_file
from shared.types import PixelSpec

SPEC = PixelSpec(size=8)
LIMITS = Limits()


def encoded(form: str = "PNG", *, edge: int = 24, **options: Any) -> bytes:
    levels = np.random.default_rng(0).integers(0, 256, (edge, edge, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, form, **options)
    return buffer.getvalue()


def refusal(data: bytes, limits: Limits = LIMITS) -> str:
    """The reason for which the bytes are refused, by `decode` and by `thumbnail` alike."""
    with pytest.raises(ImageRefused) as from_decode:
        decode(data, [SPEC], limits)
    with pytest.raises(ImageRefused) as from_thumbnail:
        thumbnail(data, 8, limits)
    reason = str(from_decode.value)
    assert str(from_thumbnail.value) == reason
    assert reason
    assert "\n" not in reason
    return reason


def decodes(data: bytes) -> bool:
    """Whether the bytes decode. Any exception but `ImageRefused` fails the test."""
    try:
        found = decode(data, [SPEC], Limits(max_pixels=1_000_000))
    except ImageRefused:
        return False
    assert found.pixels[0].shape == (8, 8, 3)
    assert found.width * found.height <= 1_000_000
    return True


# Bytes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"<!doctype html><title>404</title>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"P6 1 1 255 ",
    ],
)
def test_what_is_no_picture_of_an_allowed_format(data: bytes) -> None:
    assert (
        refusal(data) == "is not an image that can be read (JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF)"
    )


@pytest.mark.parametrize("form", ["PPM", "TGA", "ICO", "PCX", "JPEG2000", "EPS", "PDF"])
def test_formats_that_pillow_knows_but_are_not_allowed(form: str) -> None:
    assert "is not an image" in refusal(encoded(form))


def test_one_jpeg_cut_at_every_length() -> None:
    data = encoded("JPEG", edge=12, quality=30)
    whole = [length for length in range(len(data)) if decodes(data[:length])]
    # Only the end marker, or the padding before it, may be missing from what still decodes.
    assert all(length >= len(data) - 2 for length in whole)
    assert decodes(data)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_cut_in_half_is_refused(form: str) -> None:
    data = encoded(form)
    assert not decodes(data[: len(data) // 2])


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_only_its_first_third_is_refused(progressive: bool) -> None:
    data = encoded("JPEG", edge=200, progressive=progressive)
    assert "truncated" in refusal(data[: len(data) // 3])


def test_damaged_pixels_of_a_png_are_not_forgiven_while_its_exif_is_read() -> None:
    data = bytearray(encoded("PNG"))
    place = data.index(b"IDAT") + 40
    data[place : place + 8] = bytes(8)
    assert "is damaged" in refusal(bytes(data))


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "jpeg"}),
    ],
)
def test_flipped_bits(form: str, options: dict[str, Any]) -> None:
    data = encoded(form, **options)
    source = random.Random(f"{form} {options}")
    for _ in range(80):
        damaged = bytearray(data)
        for _ in range(source.choice((1, 1, 4, 16))):
            # Half of them in the header, where they do most.
            end = len(data) if source.random() < 0.5 else min(64, len(data))
            damaged[source.randrange(end)] ^= 1 << source.randrange(8)
        decodes(bytes(damaged))


def test_random_bytes_behind_each_signature() -> None:
    source = random.Random(7)
    starts = [
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x40\0\0\0WEBPVP8 ",
        b"GIF89a",
        b"BM",
    ]
    for start in [*starts, b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]:
        for _ in range(20):
            assert not decodes(start + source.randbytes(source.choice((0, 8, 200))))


# Limits


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def claiming(form: str) -> bytes:
    """A small file that claims 30000 x 30000 pixels (a WebP 16383, an AVIF 16000 an edge)."""
    data = bytearray(encoded(form))
    if form == "PNG":
        return png_claiming(30000, 30000)
    if form == "JPEG":
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", 30000, 30000)
    elif form == "GIF":
        data[6:10] = struct.pack("<HH", 30000, 30000)
    elif form == "BMP":
        data[18:26] = struct.pack("<ii", 30000, 30000)
    elif form == "WEBP":
        place = data.index(b"VP8 ") + 14
        data[place : place + 4] = struct.pack("<HH", 16383, 16383)
    elif form == "AVIF":
        place = data.index(b"ispe") + 8
        data[place : place + 8] = struct.pack(">II", 16000, 16000)
    else:
        for tag in (256, 257):
            place = data.index(struct.pack("<HH", tag, 4))
            data[place + 8 : place + 12] = struct.pack("<I", 30000)
    return bytes(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"])
def test_more_pixels_than_allowed_are_refused_undecoded(form: str) -> None:
    edge = {"WEBP": 16383, "AVIF": 16000}.get(form, 30000)
    assert refusal(claiming(form)).startswith(f"has {edge} x {edge} pixels, more than max_pixels=")


def tiff_with_tiles(edge: int) -> bytes:
    """A TIFF of 16 x 16 in one tile of `edge` x `edge`, deflated zeros."""
    squeeze = zlib.compressobj(9)
    body = squeeze.compress(bytes(2**20)) + squeeze.flush()
    entries = [(256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, edge), (323, 4, edge), (324, 4, 8 + 2 + 12 * 10 + 4), (325, 4, len(body))]
    packed = [struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries]
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 10) + b"".join(packed) + bytes(4) + body


def test_a_small_tiff_cut_from_a_huge_tile_is_refused() -> None:
    assert decodes(tiff_with_tiles(512))
    assert refusal(tiff_with_tiles(16384)).startswith("has tiles of 16384 x 16384 pixels")


def gif_bomb() -> bytes:
    """A GIF whose screen is small but whose frame is not."""
    frame = b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x08\x01\0\0;"
    return b"GIF89a" + struct.pack("<HH", 4, 4) + b"\x80\0\0" + bytes(6) + frame


def png_text_bomb() -> bytes:
    text = b"zTXtcomment\0\0" + zlib.compress(bytes(50_000_000), 9)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    data = encoded("PNG")
    return data[:33] + chunk + data[33:]


def test_bombs_are_refused_and_memory_stays_low() -> None:
    """In one process of its own: peak memory is the process's, and so is the proof."""
    bombs = [claiming(form) for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")]
    bombs += [gif_bomb(), tiff_with_tiles(16384), claiming("AVIF")]
    code = """
import resource, sys
from shared.errors import ImageRefused
from shared.images import decode
from shared.types import PixelSpec
content, bombs = sys.stdin.buffer.read(), []
while content:
    size = int(content[:12]); bombs.append(content[12:12 + size]); content = content[12 + size:]
before, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
for bomb in bombs:
    try:
        decode(bomb, [PixelSpec()])
    except ImageRefused:
        refused += 1
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(len(bombs), refused, grown // (2**20 if sys.platform == "darwin" else 2**10))
"""
    sent = b"".join(b"%12d" % len(bomb) + bomb for bomb in bombs)
    done = subprocess.run(
        [sys.executable, "-c", code], input=sent, capture_output=True, check=True, timeout=60
    )
    sent_count, refused, grown_mib = (int(word) for word in done.stdout.split())
    assert sent_count == refused == len(bombs)
    assert grown_mib < 60


@pytest.mark.skipif(sys.platform != "linux", reason="address space limits are Linux's")
def test_memory_that_is_not_there_is_a_refusal() -> None:
    code = """
import resource, sys
from shared.errors import ImageRefused
from shared.images import decode
from shared.types import PixelSpec
small, big = sys.stdin.buffer.read().split(b"--")
decode(small, [PixelSpec(size=8)])  # what is imported late is there now
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, -1))
try:
    decode(big, [PixelSpec(size=8)])
except ImageRefused as refused:
    print(refused)
"""
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")  # 81 MB in memory
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=encoded() + b"--" + buffer.getvalue(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"needs more memory to decode than there is\n"


# Files


def test_a_files_bytes_and_signature(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encoded())
    found = file.stat()
    for path in (file, str(file), os.fsencode(file)):
        data, signature = read_file(path, LIMITS)
        assert data == encoded()
        assert signature == Signature.of(found)
        assert signature.size == len(data)
        assert signature.inode == found.st_ino


def test_any_change_changes_the_signature(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"one")
    before = Signature.of(file.stat())
    os.utime(file, ns=(1, 1))
    put_back = Signature.of(file.stat())
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert len({before, put_back, Signature.of(file.stat())}) == 3


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(os.fspath(path))


def make_link(path: Path) -> None:
    (path.parent / "target.png").write_bytes(encoded())
    path.symlink_to("target.png")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_nothing(path: Path) -> None:
    """Leave the path without a file."""


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_nothing, "No such file or directory"),
        (Path.mkdir, "is not a regular file"),
        (make_fifo, "is not a regular file"),
        (make_socket, "cannot be read: "),
        (make_link, "is a symbolic link"),
        (make_loop, "is a symbolic link"),
        (Path.touch, "is empty"),
    ],
)
def test_what_is_no_file_with_bytes(
    make: Callable[[Path], None], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    make(Path("x.jpg"))
    with pytest.raises(ImageRefused, match=reason):
        read_file("x.jpg", LIMITS)
    with pytest.raises(ImageRefused, match=reason):
        pixels("x.jpg", SPEC)


def test_devices_are_refused_unread() -> None:
    with pytest.raises(ImageRefused, match="is not a regular file"):
        read_file("/dev/zero", LIMITS)


def test_a_path_with_a_nul() -> None:
    with pytest.raises(ImageRefused, match="null byte"):
        read_file("a\0b", LIMITS)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\n.png"
    try:
        Path(os.fsdecode(path)).write_bytes(encoded())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert read_file(path, LIMITS)[0] == encoded()


def test_more_bytes_than_allowed(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(bytes(11))
    assert read_file(file, Limits(max_file_bytes=11))[0] == bytes(11)
    with pytest.raises(ImageRefused, match="has 11 bytes, more than max_file_bytes=10"):
        read_file(file, Limits(max_file_bytes=10))


def read_as_a_user(folder: Path, name: str) -> str:
    """What reading gives a user who is not root: bytes as a number, or the reason of a refusal."""
    code = """
import os, sys
from shared.errors import ImageRefused
from shared.reading import Limits, read_file
os.chdir(sys.argv[1])  # the way there need not be open to the user
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    print(len(read_file(sys.argv[2], Limits())[0]))
except ImageRefused as refused:
    print(refused)
"""
    command = [sys.executable, "-c", code, os.fspath(folder), name]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    return done.stdout.strip()


def test_an_unreadable_file_is_refused_and_can_be_read_later(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "a.png"
    file.write_bytes(encoded())
    file.chmod(0)
    assert read_as_a_user(tmp_path, "a.png") == "cannot be read: Permission denied"
    file.chmod(0o644)
    assert read_as_a_user(tmp_path, "a.png") == str(len(encoded()))


def append(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"more")


def cut(file: Path) -> None:
    os.truncate(file, 10)


def rewrite(file: Path) -> None:
    file.write_bytes(bytes(len(file.read_bytes())))
    os.utime(file, ns=(1, 1))


@pytest.mark.parametrize("change", [append, cut, rewrite])
def test_a_file_that_changes_while_it_is_read(
    change: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encoded())
    looks: list[int] = []
    real = os.fstat

    def look(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        if not looks:
            change(file)
        looks.append(descriptor)
        return found

    monkeypatch.setattr("shared.images.os.fstat", look)
    with pytest.raises(ImageChanged, match="changed while it was read"):
        read_file(file, LIMITS)
    assert len(looks) == 2
