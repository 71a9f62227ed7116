"""Temporary names, same looks with other bytes, twins, and what does not stay."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.daemons import DEADLINE_SECONDS, Watch
from tests.faults.conftest import oracle
from tests.faults.pictures import on_disk, picture, stored
from tests.faults.processes import busy_seconds, children, open_files

pytestmark = pytest.mark.any_store

TEMPORARY = {
    "holiday.jpg.part": "holiday.jpg",
    "Unconfirmed 123.crdownload": "download.png",
    "upload.png.filepart": "upload.png",
    ".goutputstream-X1": "gedit.png",
    ".photo.png.Ab12Cd": "photo.png",  # rsync
    "edited.png~": "edited.png",
    "#buffer.png#": "buffer.png",
    ".vim.png.swp": "vim.png",
    "copy.tmp": "copy.png",
    "Safari.download": "safari.png",
}


@pytest.mark.case(19)
def test_temporary_names_are_passed_over_until_they_are_final(
    watch: Watch, home: Path, photos: Path
) -> None:
    (photos / "holiday.jpg").touch()  # Firefox keeps the final name with an empty file
    for number, name in enumerate(TEMPORARY):
        (photos / name).write_bytes(picture(number))
    time.sleep(0.5)
    (photos / "marker.png").write_bytes(picture(99))
    watch.settled(19)
    assert on_disk(photos) - stored(home).keys() == {*TEMPORARY, "holiday.jpg"}
    for temporary, final in TEMPORARY.items():
        (photos / temporary).rename(photos / final)
    found = watch.settled(19 + len(TEMPORARY), refused=[])
    assert stored(home).keys() == on_disk(photos)
    assert found["encoded"] == 19 + len(TEMPORARY)
    oracle(home)


@pytest.mark.case(19)
def test_a_rename_from_a_name_that_counts_leaves_only_the_final_one(
    watch: Watch, home: Path, photos: Path
) -> None:
    for number in range(30):
        (photos / f"unsorted {number}").write_bytes(picture(number))
        (photos / f"unsorted {number}").rename(photos / f"final {number}.png")
    watch.wait_until(lambda found: stored(home).keys() == on_disk(photos))
    assert watch.settled(48)["encoded"] == 48
    oracle(home)


def _other_content(path: Path, number: int, *, replaced: bool) -> None:
    """As many other bytes under the same name with the same modification time."""
    before = path.stat()
    new = picture(number, kind="BMP")
    assert new != path.read_bytes()
    target = path.with_name(".beside") if replaced else path
    target.write_bytes(new)
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    if replaced:
        target.rename(path)
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.case(22)
@pytest.mark.parametrize("replaced", [False, True])
def test_other_content_of_same_name_size_and_time_is_indexed(
    home: Path, photos: Path, replaced: bool
) -> None:
    (photos / "same.bmp").write_bytes(picture(1, kind="BMP"))
    with Watch(home, photos) as first:
        first.settled(19)
        before = stored(home)["same.bmp"].sha256
        _other_content(photos / "same.bmp", 2, replaced=replaced)
        first.settled(19, encoded=20)
        between = stored(home)["same.bmp"].sha256
        first.stop()
    _other_content(photos / "same.bmp", 3, replaced=replaced)
    with Watch(home, photos) as second:
        second.settled(19, encoded=1)
        after = stored(home)["same.bmp"].sha256
        assert len({before, between, after}) == 3
        oracle(home)


@pytest.mark.case(23)
def test_one_content_under_two_names_is_two_points_encoded_once(
    watch: Watch, home: Path, photos: Path
) -> None:
    for name in ("one.png", "two.png"):
        (photos / name).write_bytes(picture(1))
    found = watch.settled(20)
    assert found["encoded"] == 19
    shutil.copy(photos / "one.png", photos / "red/three.png")
    os.link(photos / "one.png", photos / "linked.png")
    found = watch.settled(22)
    assert found["encoded"] == 19
    points = stored(home)
    names = ("one.png", "two.png", "red/three.png", "linked.png")
    assert len({points[name].sha256 for name in names}) == 1
    assert len({points[name].id for name in names}) == 4
    (photos / "one.png").unlink()  # one of the names goes, the others stay
    watch.settled(21)
    assert oracle(home)["points"] == 21


@pytest.mark.case(24)
def test_a_file_deleted_before_a_decoder_reads_it_leaves_no_ghost(
    watch: Watch, home: Path, photos: Path
) -> None:
    (decoder,) = children(watch.process.pid)
    os.kill(decoder, signal.SIGSTOP)
    (photos / "short.png").write_bytes(picture(1))
    watch.wait_until(lambda found: found["backlog"] == 1)
    _delete_and_go_on(photos / "short.png", decoder)
    (photos / "marker.png").write_bytes(picture(2))
    watch.settled(19, encoded=19, refused=[])
    assert stored(home).keys() == on_disk(photos)
    oracle(home)


@pytest.mark.case(24)
def test_a_file_deleted_while_it_is_decoded_leaves_no_ghost(
    watch: Watch, home: Path, photos: Path, tmp_path: Path
) -> None:
    large = photos / "large.png"
    Image.effect_noise((6000, 6000), 60).save(tmp_path / "large.png", compress_level=1)
    (decoder,) = children(watch.process.pid)
    before, deadline = busy_seconds(decoder), time.monotonic() + DEADLINE_SECONDS
    (tmp_path / "large.png").rename(large)
    while busy_seconds(decoder) < before + 0.03 or large in open_files(decoder):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(decoder, signal.SIGSTOP)
    watch.wait_until(lambda found: found["backlog"] == 1, 0)
    _delete_and_go_on(large, decoder)
    (photos / "marker.png").write_bytes(picture(2))
    watch.settled(19, encoded=20, refused=[])
    assert stored(home).keys() == on_disk(photos)
    oracle(home)


def _delete_and_go_on(path: Path, decoder: int) -> None:
    path.unlink()
    time.sleep(0.5)  # the event comes first
    os.kill(decoder, signal.SIGCONT)
