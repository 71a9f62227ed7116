"""Cases 33 to 35: pictures that are damaged, odd or dangerous."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.daemons import DEADLINE_SECONDS, Watch, indexer, searcher
from tests.faults.conftest import oracle
from tests.faults.odd_pictures import encoded, write_odd_pictures
from tests.homes import draw_photos

GIGABYTE = 10**9


class Memory:
    """The largest memory that the daemon or any process of its has had, looked at often."""

    def __init__(self, pid: int) -> None:
        self.largest = 0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                return
            for process in family:
                self.largest = max(self.largest, _peak_bytes(process.pid))


def _peak_bytes(pid: int) -> int:
    """The kernel's own high-water mark, so that no peak is missed between two looks."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


@pytest.mark.case(33)
def test_every_odd_picture_is_decoded_or_refused(home: Path, photos: Path) -> None:
    odd = photos / "odd"
    odd.mkdir()
    must_refuse = write_odd_pictures(odd)
    names = {path.name for path in odd.iterdir()}
    total = 18 + len(names)
    with Watch(home, photos) as watch, Memory(watch.process.pid) as memory:
        started = time.monotonic()
        found = watch.wait_until(
            lambda found: found["images"] + len(found["refused"]) == total, seconds=120
        )
        took = time.monotonic() - started
        watch.settled(found["images"])
    reasons = {Path(file["path"]).name: file["reason"] for file in found["refused"]}
    assert must_refuse <= reasons.keys(), must_refuse - reasons.keys()
    assert reasons.keys() <= names
    assert all(reason and "\n" not in reason for reason in reasons.values())
    assert not [reason for reason in reasons.values() if "crash" in reason]
    assert 50 * 2**20 < memory.largest < GIGABYTE
    assert took < 60
    assert len(oracle(home)["refused"]) == len(reasons)


def _scene() -> Image.Image:
    """A picture without symmetry, so that every turn of it is another one."""
    pixels = np.full((64, 64, 3), (60, 90, 160), np.uint8)
    pixels[:20, :] = (230, 40, 30)
    pixels[30:, :12] = (20, 200, 60)
    pixels[40:, 40:] = (250, 240, 10)
    return Image.fromarray(pixels)


def _grey() -> Image.Image:
    return Image.fromarray(np.asarray(_scene().convert("L")) // 17 * 17)


def _modes() -> dict[str, tuple[bytes, bytes]]:
    """Files of every mode, each with the plain picture that a person sees in it."""
    scene, grey = _scene(), _grey()
    plain, plain_grey = encoded(scene, "PNG"), encoded(grey.convert("RGB"), "PNG")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    clear = scene.convert("RGBA")
    clear.putalpha(
        Image.fromarray(np.where(np.arange(64) < 32, 0, 255).astype(np.uint8)[None].repeat(64, 0))
    )
    on_white = scene.copy()
    on_white.paste((255, 255, 255), (0, 0, 32, 64))
    other = Image.new("RGB", (64, 64), (0, 0, 0))
    turned: dict[str, tuple[bytes, bytes]] = {}
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        back = scene if turn == 1 else scene.transpose(_BACK[turn])
        turned[f"turn-{turn}.jpg"] = (
            encoded(back, "JPEG", quality=95, subsampling=0, exif=exif),
            plain,
        )
    return turned | {
        "16bit.png": (encoded(wide, "PNG"), plain_grey),
        "16bit.tif": (encoded(wide, "TIFF"), plain_grey),
        "cmyk.jpg": (encoded(scene.convert("CMYK"), "JPEG", quality=95), plain),
        "cmyk.tif": (encoded(scene.convert("CMYK"), "TIFF"), plain),
        "palette.png": (encoded(scene.quantize(16), "PNG"), plain),
        "palette.gif": (encoded(scene.quantize(16), "GIF"), plain),
        "alpha.png": (encoded(clear, "PNG"), encoded(on_white, "PNG")),
        "alpha.webp": (encoded(clear, "WEBP", lossless=True), encoded(on_white, "PNG")),
        "animated.gif": (
            encoded(scene.quantize(16), "GIF", save_all=True, append_images=[other]),
            plain,
        ),
        "animated.webp": (
            encoded(scene, "WEBP", lossless=True, save_all=True, append_images=[other]),
            plain,
        ),
    }


_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored so that the orientation of that number shows it upright."""


@pytest.mark.case(34)
def test_the_vector_is_that_of_the_picture_a_person_sees(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    files = _modes()
    for turn in range(2, 9):  # the same scene turned and lying as stored: what must not match
        (photos / f"wrong-{turn}.png").write_bytes(encoded(_scene().transpose(_BACK[turn]), "PNG"))
    asked: dict[bytes, Path] = {}
    for number, (name, (data, plain)) in enumerate(files.items()):
        (photos / name).write_bytes(data)
        if plain not in asked:
            asked[plain] = tmp_path / f"plain-{number}.png"
            asked[plain].write_bytes(plain)
    indexer("scan", photos, "--home", home)
    for plain, path in asked.items():
        done = searcher("query", path, "-n", "99", "--home", home, "--json")
        results = json.loads(done.stdout)["results"]
        wanted = {name for name, (_, seen) in files.items() if seen == plain}
        first = results[: len(wanted)]
        assert {image["path"] for image in first} == wanted
        assert min(image["score"] for image in first) > 0.995
        assert all(image["score"] < 0.99 for image in results[len(wanted) :])
    oracle(home)


def _slow_picture(path: Path, number: int = 0) -> None:
    """It takes a decoder a good while: 99 megapixels of PNG; every number is another content."""
    palette = Image.new("P", (12_500, 7_990), 1)
    palette.putpalette([1, 2, 3, 4, 5, 6 + number])
    palette.save(path, transparency=0, compress_level=1)


def _workers(pid: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(pid).children():
        try:
            if "shared.decoding.worker" in child.cmdline():
                found.append(child)
        except psutil.Error:
            continue
    return found


def _holds_the_picture(worker: psutil.Process) -> bool:
    """Whether it has the large picture in memory: nothing else here takes so much, and it is given
    back before the answer is sent."""
    try:
        return bool(worker.memory_info().rss > 150 * 2**20)
    except psutil.Error:
        return False


def _is_stopped_at_it(worker: psutil.Process) -> bool:
    """Stop a worker that seems to be at the large picture, and look again: by then it may have
    answered, and goes on."""
    if not _holds_the_picture(worker):
        return False
    try:
        worker.suspend()
        while worker.status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)
        if _holds_the_picture(worker):
            return True
        worker.resume()
    except psutil.Error:
        pass
    return False


def _signal_twice(watch: Watch, number: signal.Signals, images: int) -> bool:
    """Hit the worker that has the large picture, and the one that tries it again. False if it was
    too quick: all `images` are indexed."""
    hit: set[int] = set()
    deadline = time.monotonic() + DEADLINE_SECONDS
    asked = time.monotonic()
    while len(hit) < 2 and time.monotonic() < deadline:
        for worker in _workers(watch.process.pid):
            if worker.pid not in hit and _is_stopped_at_it(worker):
                hit.add(worker.pid)
                if number != signal.SIGSTOP:
                    worker.send_signal(number)  # it is the first thing that happens to it
                    worker.resume()
        if time.monotonic() > asked + 0.5:
            found, asked = watch.status(), time.monotonic()
            if found and found["images"] == images:
                return False
        time.sleep(0.005)
    return len(hit) == 2


@pytest.mark.case(35)
@pytest.mark.parametrize(
    ("number", "seconds", "reason"),
    [
        (signal.SIGSEGV, "30", "crashes the decoder (SIGSEGV)"),
        (signal.SIGSTOP, "3", "takes longer than decode_timeout_seconds=3 to decode"),
    ],
)
def test_a_decoder_that_crashes_or_hangs_costs_one_picture(
    home: Path, photos: Path, tmp_path: Path, number: signal.Signals, seconds: str, reason: str
) -> None:
    """The picture is real and slow; the signal comes while a worker is at it, twice."""
    with Watch(home, photos, LOOKALIKE_DECODE_TIMEOUT_SECONDS=seconds) as watch:
        watch.settled(18)
        images, tries = 18, 5
        for attempt in range(tries):  # a picture that was decoded too quickly is just one more
            _slow_picture(tmp_path / "slow.png", attempt)
            (tmp_path / "slow.png").rename(photos / f"slow-{attempt}.png")
            draw_photos(photos / f"more-{attempt}", 10)
            images += 30
            if _signal_twice(watch, number, images + 1):
                break
            images += 1
        found = watch.settled(images)
        refused = [(file["path"], file["reason"]) for file in found["refused"]]
        assert refused == [(f"slow-{attempt}.png", reason)]
    oracle(home)
