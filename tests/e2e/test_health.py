"""`indexer health` for probes, log lines for machines, and the systemd unit."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from indexer.health import health
from shared.heartbeat import STALE_SECONDS, beat
from shared.lock import HomeLock
from tests.daemons import Watch, indexer
from tests.homes import draw_photos, make_home

UNIT = Path(__file__).parent.parent.parent / "deploy" / "lookalike-indexer.service"


def test_a_running_daemon_is_healthy_and_its_log_is_json(tmp_path: Path, tiny_tflite: Path) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    draw_photos(photos)
    make_home(home, photos, tiny_tflite, indexed=False)
    done = indexer("health", "--home", home, check=False)
    assert (done.returncode, done.stdout) == (
        1,
        "not healthy: no indexer is running on this home\n",
    )
    with Watch(home, photos, "--log-format", "json") as watch:
        watch.settled(18)
        done = indexer("health", "--home", home, "--json")
        assert json.loads(done.stdout) == {"healthy": True, "state": "watching", "why": None}
        photos.rename(tmp_path / "away")
        watch.wait_until(lambda found: "degraded" in found["state"])
        done = indexer("health", "--home", home, check=False)
        assert done.returncode == 1
        assert "degraded" in done.stdout
        assert indexer("health", "--live", "--home", home).returncode == 0
        assert watch.stop() == 0
        lines = [json.loads(line) for line in watch.text().splitlines()]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert any(line["message"].startswith("watching") for line in lines)
    assert indexer("health", "--live", "--home", home, check=False).returncode == 1


def test_a_daemon_that_hangs_is_found_out(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "indexer watch"):
        assert health(tmp_path, "watching", live=True)["healthy"]
        beat(tmp_path)
        assert health(tmp_path, "watching", live=True)["healthy"]
        long_ago = time.time() - STALE_SECONDS - 5
        os.utime(tmp_path / "heartbeat", (long_ago, long_ago))
        found = health(tmp_path, "watching", live=True)
        assert not found["healthy"]
        assert "last came round 65 s ago" in found["why"]
        beat(tmp_path)
        assert health(tmp_path, "paused: disk full", live=True)["healthy"]
        assert not health(tmp_path, "paused: disk full", live=False)["healthy"]


def test_the_heartbeat_of_a_real_daemon_goes_on(tmp_path: Path, tiny_tflite: Path) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    draw_photos(photos, 1)
    make_home(home, photos, tiny_tflite, indexed=False)
    with Watch(home, photos) as watch:
        watch.settled(3)
        first = (home / "run/heartbeat").stat().st_mtime_ns
        deadline = time.monotonic() + 30
        while (home / "run/heartbeat").stat().st_mtime_ns == first:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        watch.process.send_signal(signal.SIGSTOP)
        stopped = (home / "run/heartbeat").stat().st_mtime_ns
        time.sleep(1.5)
        assert (home / "run/heartbeat").stat().st_mtime_ns == stopped
        watch.process.send_signal(signal.SIGCONT)


def test_the_unit_runs_our_command_and_stops_it_gently() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["ExecStart"].split()[:2] == ["%h/.local/bin/indexer", "watch"]
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) >= 10
    assert service["Restart"] == "on-failure"
    assert "share/lookalike" in service["ReadWritePaths"]


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must provide systemd-analyze")
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("%h/.local/bin/indexer", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", copy],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert not complaints, complaints
