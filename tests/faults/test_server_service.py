"""`searcher serve` while its Qdrant server is away or silent: an honest 503, and it comes back."""

from __future__ import annotations

import json
from pathlib import Path

from tests.daemons import indexer
from tests.faults.server import KEY, READING_KEY, connect, is_true, names_no_key
from tests.qdrant.running import Running, qdrant
from tests.services import Reply, Service


def _is_honest(reply: Reply, server: Running) -> None:
    """A problem document that says when to come back, not where the store is, nor with what key."""
    assert reply.status == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert int(reply.headers["retry-after"]) > 0
    assert reply.json["detail"]
    text = json.dumps([reply.data.decode(), dict(reply.headers)])
    names_no_key(text)
    assert str(server.port) not in reply.json["detail"]
    assert "127.0.0.1" not in text


def test_a_service_says_503_while_its_server_is_away_or_silent_and_recovers(
    home: Path, photos: Path, tmp_path: Path
) -> None:
    picture = photos / "red/1.jpg"
    with qdrant(tmp_path / "qdrant", api_key=KEY, read_only_key=READING_KEY) as server:
        connect(home, server.url, qdrant_api_key=KEY)
        indexer("scan", photos, "--home", home)
        connect(home, server.url, qdrant_api_key=READING_KEY, qdrant_wait_seconds=0)
        server.kill()
        with Service(home) as service:
            _endures(service, server, picture)
            server.restart()
            answer = _recovers(service, picture)
            server.stop_answering()
            _endures(service, server, picture)
            server.go_on()
            assert _recovers(service, picture) == answer
            assert server.url in service.text(), "the log is for those who run it"
            names_no_key(service.text())
        connect(home, server.url, qdrant_api_key=KEY)
        is_true(home, photos)


def _endures(service: Service, server: Running, picture: Path) -> None:
    for reply in (service.get("/readyz"), service.send("/search", [picture])):
        _is_honest(reply, server)
    assert service.get("/healthz").status == 200


def _recovers(service: Service, picture: Path) -> list[str]:
    """The ids that a search finds once the service is ready again."""
    service.wait_for(lambda: service.get("/readyz").status == 200)
    found = [one["id"] for one in service.send("/search", [picture]).json["results"]]
    assert found
    return found
