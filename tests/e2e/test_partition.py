"""Several indexers as users run them: real processes, one folder, one server over the wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.models import Models
from shared.points import point_id
from shared.roots import root_id
from shared.settings import Settings
from shared.store.hub import open_store
from tests.daemons import Watch, indexer
from tests.faults.pictures import draw
from tests.homes import make_home
from tests.qdrant.running import Running, qdrant


class Office:
    """Homes that share a folder, the models and a server, each told by its own settings file."""

    def __init__(self, base: Path, photos: Path, tflite: Path, url: str) -> None:
        self.base, self.photos, self.url = base, photos, url
        self.models = make_home(base / "trained", photos, tflite, indexed=False).models

    def home(self, name: str, **settings: str) -> Path:
        home = self.base / name
        home.mkdir(exist_ok=True)
        values = {"qdrant_url": self.url, "models_folder": str(self.models)} | settings
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
        (home / "settings.toml").write_text("".join(lines))
        return home

    def ids(self) -> set[str]:
        settings = Settings(self.base / "asking", qdrant_url=self.url)
        store = open_store(settings, Models(self.models).current().encoder)
        found = store.ids()
        store.close()
        return found

    def wanted(self) -> set[str]:
        root = root_id(self.photos)
        files = (path for path in self.photos.rglob("*") if path.is_file())
        return {point_id(root, str(path.relative_to(self.photos)).encode()) for path in files}


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with qdrant(tmp_path / "qdrant") as server:
        yield server


@pytest.fixture
def office(tmp_path: Path, photos: Path, tiny_tflite: Path, server: Running) -> Office:
    return Office(tmp_path, photos, tiny_tflite, server.url)


def _doctor(home: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(indexer("doctor", "--json", "--home", home, *options).stdout)
    return found


def test_daemons_share_a_folder_and_a_third_one_joins(office: Office, server: Running) -> None:
    """They start before the server does, work while pictures come and go, and hand over."""
    server.kill()
    a, b = office.home("a", partition="1/2"), office.home("b", partition="2/2")
    with Watch(a, office.photos) as one, Watch(b, office.photos) as two:
        for watch in (one, two):
            watch.wait_until(lambda told: "waiting for the store" in told["state"])
        draw(office.photos / "while-away", range(6))
        server.restart()
        _both_have(one, two, 24)
        assert office.ids() == office.wanted()
        (office.photos / "red/0.jpg").unlink()
        draw(office.photos / "later", range(6, 9))
        _both_have(one, two, 26)
        server.kill()
        draw(office.photos / "meanwhile", range(9, 12))
        server.restart()
        _both_have(one, two, 29)
        assert (one.stop(), two.stop()) == (0, 0)
    assert office.ids() == office.wanted()
    (office.photos / "red/1.jpg").unlink()
    c = office.home("c")
    found = {
        part: json.loads(
            indexer("scan", office.photos, "--home", home, "--partition", part, "--json").stdout
        )
        for home, part in ((c, "3/3"), (a, "1/3"), (b, "2/3"))
    }
    assert sum(one["encoded"] for one in found.values()) == 0
    assert sum(one["deleted"] for one in found.values()) == 1
    assert sum(one["images"] for one in found.values()) == 28
    assert office.ids() == office.wanted()
    told = [_doctor(office.home("a", partition="1/3")), _doctor(office.home("b", partition="2/3"))]
    told.append(_doctor(c))  # which remembers its part
    assert [one["points"] + one["others"] for one in told] == [28] * 3
    assert sum(one["points"] for one in told) == 28
    indexer("forget", office.photos, "--home", c)
    assert len(office.ids()) == 28 - told[-1]["points"]


def _both_have(one: Watch, two: Watch, images: int) -> None:
    """Wait until two daemons together have so many images and nothing is left to do."""

    def calm(told: dict[str, Any]) -> bool:
        other = two.status()
        return bool(
            other
            and told["images"] + other["images"] == images
            and told["backlog"] == other["backlog"] == 0
            and told["state"] == other["state"] == "watching"
        )

    one.wait_until(calm)


def test_failing_fast_and_wrong_parts_get_one_line(office: Office, server: Running) -> None:
    home = office.home("a", qdrant_wait_seconds="60")
    server.kill()
    for command in ("scan", "watch"):
        done = indexer(command, office.photos, "--home", home, "--fail-fast", check=False)
        assert done.returncode == 1
        assert office.url in done.stderr.splitlines()[-1]
        assert done.stderr.splitlines()[-1].startswith("error: ")
    refused = indexer("scan", office.photos, "--home", home, "--partition", "4/3", check=False)
    assert refused.stderr.startswith("error: setting partition is '4/3': it must be i/n")
    alone = office.base / "alone"
    refused = indexer("scan", office.photos, "--home", alone, "--partition", "1/2", check=False)
    assert "no indexers share an embedded store" in refused.stderr
    assert not (alone / "store").exists()
    refused = indexer("recluster", "--home", office.home("b", partition="2/3"), check=False)
    assert refused.stderr.startswith("error: partition 2/3 does not recluster")
