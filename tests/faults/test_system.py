"""Cases 26 to 30: what the system does to folders and files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.types import shown_path
from tests.daemons import Watch, indexer, run, searcher
from tests.faults.conftest import oracle
from tests.faults.disks import mounted, tmpfs, unmount
from tests.homes import draw_photos

Need = Callable[[str], None]


@pytest.mark.case(26)
def test_an_unmounted_root_deletes_nothing_and_is_said(
    tmp_path: Path, home: Path, photos: Path, needs_privilege: Need
) -> None:
    root, disk = tmp_path / "mounted", tmp_path / "disk"
    with mounted(disk, needs_privilege, *tmpfs(8)):
        shutil.copytree(photos, disk, dirs_exist_ok=True)
        with mounted(root, needs_privilege, "--bind", str(disk)), Watch(home, root) as watch:
            watch.settled(18)
            unmount(root)
            found = watch.wait_until(lambda found: found["state"].startswith("degraded: "))
            assert "unmounted?" in found["state"]
            assert str(root) in found["state"]
            assert found["roots"][0]["suspended"] == found["images"] == 18
            assert len(oracle(home)["suspended"]) == 18
            done = indexer("scan", root, "--home", home, check=False)
            assert done.returncode == 1  # the daemon has the home
            shutil.copy(photos / "red/0.jpg", disk / "meanwhile.jpg")
            with mounted(root, needs_privilege, "--bind", str(disk)):
                watch.settled(19)
                shutil.copy(photos / "red/0.jpg", root / "after.jpg")
                watch.settled(20)
                oracle(home)


@pytest.mark.case(26)
def test_a_root_that_is_unmounted_while_nothing_runs(
    tmp_path: Path, home: Path, photos: Path, needs_privilege: Need
) -> None:
    root = tmp_path / "mounted"
    with mounted(root, needs_privilege, *tmpfs(8)):
        shutil.copytree(photos, root, dirs_exist_ok=True)
        indexer("scan", root, "--home", home)
    done = indexer("scan", root, "--home", home)
    assert "18 files are gone" in done.stderr
    assert "unmounted?" in done.stderr
    assert len(oracle(home)["suspended"]) == 18


@pytest.mark.case(27)
def test_links_are_not_followed(watch: Watch, home: Path, photos: Path, tmp_path: Path) -> None:
    draw_photos(tmp_path / "outside")
    (photos / "loop").symlink_to(photos)
    (photos / "red/up").symlink_to("..")
    (photos / "self").symlink_to("self")
    (photos / "out").symlink_to(tmp_path / "outside")
    (photos / "out.jpg").symlink_to(tmp_path / "outside/red/0.jpg")
    (photos / "in.jpg").symlink_to("red/0.jpg")
    (photos / "dangling.jpg").symlink_to("nowhere.jpg")
    shutil.copy(photos / "red/0.jpg", photos / "last.jpg")
    found = watch.settled(19)
    assert found["refused"] == []
    (tmp_path / "outside/red/0.jpg").unlink()
    watch.stop()
    indexer("scan", photos, "--home", home)
    assert oracle(home)["points"] == 19


@pytest.mark.case(28)
def test_what_is_no_regular_file_is_passed_over(
    watch: Watch,
    home: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    needs_privilege: Need,
) -> None:
    os.mkfifo(photos / "fifo.jpg")
    (photos / "folder.jpg").mkdir()
    shutil.copy(photos / "red/0.jpg", photos / "folder.jpg/inside.jpg")
    monkeypatch.chdir(photos)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind("socket.jpg")
    try:
        os.mknod(photos / "zero.jpg", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        needs_privilege("making a device (CAP_MKNOD)")
    shutil.copy(photos / "red/0.jpg", photos / "last.jpg")
    assert watch.settled(20)["refused"] == []
    watch.stop()
    indexer("scan", photos, "--home", home)
    assert oracle(home)["points"] == 20
    for name in ("fifo.jpg", "zero.jpg", "folder.jpg", "socket.jpg"):
        done = searcher("query", photos / name, "--home", home, check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1


def _as_a_user(needs_privilege: Need) -> tuple[str, ...]:
    """A command under which modes count: root without its leave to pass over them."""
    if os.geteuid() != 0:
        return ()
    dropped = "-dac_override,-dac_read_search"
    under = ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}")
    try:
        subprocess.run([*under, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as error:
        needs_privilege(f"dropping capabilities with setpriv: {error}")
    return under


@pytest.mark.case(29)
def test_an_unreadable_file_and_folder_become_readable(
    home: Path, photos: Path, needs_privilege: Need
) -> None:
    (photos / "green").chmod(0)
    with Watch(home, photos, under=_as_a_user(needs_privilege)) as watch:
        watch.wait_until(lambda found: found["images"] == 12)
        (photos / "green").chmod(0o755)
        watch.settled(18)
        shutil.copy(photos / "blue/0.jpg", photos / "green/new.jpg")
        watch.settled(19)
        (photos / "green/new.jpg").unlink()
        watch.settled(18)
        secret = photos / "secret.jpg"
        shutil.copy(photos / "red/0.jpg", photos / ".secret")
        (photos / ".secret").chmod(0)
        (photos / ".secret").rename(secret)
        found = watch.wait_until(lambda found: found["waiting"])
        assert found["waiting"][0]["reason"] == "cannot be read: Permission denied"
        assert found["images"] == 18
        oracle(home)
        secret.chmod(0o644)
        assert watch.settled(19)["waiting"] == []
        (photos / "red").chmod(0)
        found = watch.wait_until(lambda found: found["state"].startswith("degraded: "))
        assert "'red': Permission denied" in found["state"]
        assert found["images"] == 19
        (photos / "red").chmod(0o755)
        shutil.copy(photos / "blue/0.jpg", photos / "red/new.jpg")
        watch.settled(20)
        shutil.copy(photos / "blue/0.jpg", photos / "red/newer.jpg")
        watch.settled(21)
    oracle(home)


@pytest.mark.case(30)
def test_names_of_any_bytes(watch: Watch, home: Path, photos: Path) -> None:
    names = [
        b"caf\xe9.jpg",
        b"two\nlines.jpg",
        b"quote\"'\\.jpg",
        b"tab\t\x1b[31mred\x7f.jpg",
        "\u202egpj.exe.jpg".encode(),
        b"\xff" * 251 + b".jpg",
        "ü".encode() * 125 + b"x.jpg",
        b" .jpg",
        b"-rf.jpg",
    ]
    assert max(map(len, names)) == 255
    for number, name in enumerate(names):
        folder = os.path.join(os.fsencode(photos), name + b".d" if len(name) < 200 else b"long")
        os.makedirs(folder, exist_ok=True)
        for place in (os.path.join(os.fsencode(photos), name), os.path.join(folder, name)):
            shutil.copy(photos / f"red/{number % 6}.jpg", place)
    broken = os.path.join(os.fsencode(photos), b"broken\n\xff.jpg")
    Path(os.fsdecode(broken)).write_bytes(b"no picture")
    found = watch.settled(18 + 2 * len(names))
    assert [file["path"] for file in found["refused"]] == [shown_path(b"broken\n\xff.jpg")]
    said = run("indexer", ["status", "--json", "--home", home], check=True).stdout
    assert json.loads(said)["refused"] == found["refused"]
    lines = searcher("query", photos / "red/0.jpg", "-n", "99", "--home", home, "--json").stdout
    assert len(lines.splitlines()) == 1
    paths = {image["path"] for image in json.loads(lines)["results"]}
    assert {shown_path(name) for name in names} <= paths
    text = indexer("status", "--home", home).stdout
    assert "\x1b" not in text
    oracle(home)
