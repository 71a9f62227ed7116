"""What is tried with `compose.cluster.yml` over the other file: how the parts are put together.

The stub of Qdrant makes no cluster: its three nodes know nothing of each other, and all is asked of
the first that answers. With Qdrant's own image it is one.
"""

from __future__ import annotations

import json

from tests.compose.engine import run
from tests.compose.project import Project, wait_for
from tests.compose.trying import begin, check_confined, check_published, images

FILES = ("docker-compose.yml", "compose.cluster.yml")
NODES = ("qdrant", "qdrant-2", "qdrant-3")
INDEXERS = ("indexer", "indexer-2")


def try_cluster(project: Project) -> None:
    """Three nodes, two indexers that share the photographs, three searchers."""
    photographs = sum(one.is_file() for one in (project.folder / "photos").rglob("*"))
    if project.images["INDEXER_IMAGE"] == project.images["SEARCHER_IMAGE"]:
        project.compose("up", "--no-start", "--no-build")
        project.give_models()
    begin("up, as a cluster")
    project.compose("up", "--detach", "--no-build", "--scale", "searcher=3")
    wait_for("every photograph is found", lambda: images(project) == photographs)
    for service in (*NODES, *INDEXERS, "searcher", "balancer"):
        begin(f"{service} is healthy, and may do no more than it must")
        for container in project.containers(service):
            wait_for("it is healthy", lambda one=container: project.is_healthy(one))
            check_confined(project, container)
    check_published(project)
    begin("the indexers share the photographs")
    parts = [_doctor(project, service) for service in INDEXERS]
    assert all(part["well"] and part["points"] for part in parts), parts
    assert sum(part["points"] for part in parts) == photographs, parts


def _doctor(project: Project, service: str) -> dict[str, int]:
    container = project.containers(service)[0]
    said = run("docker", "exec", container, "indexer", "doctor", "--json")
    told: dict[str, int] = json.loads(said.splitlines()[-1])  # warnings come before it
    return told
