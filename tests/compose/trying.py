"""What is tried with everything running."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from tests.compose.engine import run, works
from tests.compose.project import Project, wait_for
from tests.compose.saying import say
from tests.faults.clients import Clients, Question, questions, through, whole
from tests.services import Reply

PHOTOS = 21
ANSWERS = 60
"""As many must come back between two events."""


def try_all(project: Project) -> None:
    """Everything, from the first start on."""
    fits_itself = project.images["INDEXER_IMAGE"] != project.images["SEARCHER_IMAGE"]
    if not fits_itself:
        project.compose("up", "--no-start", "--no-build")
        project.give_models()
    begin("up")
    project.compose("up", "--detach", "--no-build")
    wait_for("every photograph is found", lambda: images(project) == PHOTOS)
    for service in ("qdrant", "indexer", "searcher", "balancer"):
        for container in project.containers(service):
            begin(f"{service} is healthy, and may do no more than it must")
            wait_for("it is healthy", lambda one=container: project.is_healthy(one))
            check_confined(project, container)
    check_keys(project)
    check_published(project)
    check_contents(project)
    with Clients(project.port, questions(project.port, key(project)), results) as clients:
        kill_each(project, clients)
    check_follows(project)
    check_scaled(project)


def begin(what: str) -> None:
    """Say what comes."""
    say(f"- {what}")


def key(project: Project) -> dict[str, str]:
    """The header that the service asks for."""
    return {"X-API-Key": project.key("search_keys")}


def images(project: Project) -> int | None:
    """How many images a searcher knows of; None while none answers."""
    found = through(project.port, Question("GET", "/stats", headers=key(project)))
    return int(found.json["images"]) if found.status == 200 else None


def check_confined(project: Project, container: str) -> None:
    """What Docker was told, as Docker has it."""
    about = project.inspect(container)
    host, user = about["HostConfig"], about["Config"]["User"]
    assert host["ReadonlyRootfs"], about["Name"]
    assert host["CapDrop"] == ["ALL"], about["Name"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"], about["Name"]
    assert user.split(":")[0] not in ("", "0", "root"), about["Name"]
    assert host["Memory"] > 0, about["Name"]
    assert host["NanoCpus"] > 0, about["Name"]
    assert host["PidsLimit"] > 0, about["Name"]
    for name in ("qdrant_key", "qdrant_read_key", "search_keys"):
        assert project.key(name) not in str(about), f"{name} can be read with docker inspect"
    assert not works("docker", "exec", container, "touch", "/opt/written"), about["Name"]


def check_keys(project: Project) -> None:
    """Nobody is answered without a key, and a searcher's key writes nothing."""
    begin("keys")
    assert through(project.port, Question("GET", "/stats")).status == 401
    collections = Question("GET", "/collections")
    assert through(project.dashboard, collections).status in (401, 403)
    read = {"api-key": project.key("qdrant_read_key"), "Content-Type": "application/json"}
    assert through(project.dashboard, Question("GET", "/collections", headers=read)).status == 200
    body = b'{"vectors": {"size": 4, "distance": "Cosine"}}'
    made = through(project.dashboard, Question("PUT", "/collections/other", body, read))
    assert made.status in (401, 403), made


def check_published(project: Project) -> None:
    """Two ports, both for this machine alone."""
    begin("ports")
    mine = "label=com.docker.compose.project=lookalike-try"
    listed = run("docker", "ps", "--filter", mine, "--format", "{{.Ports}}")
    published = {one.strip() for one in listed.replace("\n", ",").split(",") if "->" in one}
    assert published == {
        f"127.0.0.1:{project.port}->8080/tcp",
        f"127.0.0.1:{project.dashboard}->6333/tcp",
    }


def check_contents(project: Project) -> None:
    """The searcher's image holds nothing to train with, and nothing to build with."""
    begin("contents of the searcher's image")
    searcher = project.containers("searcher")[0]
    for module in ("tensorflow", "sklearn", "pip", "setuptools"):
        command = ("docker", "exec", searcher, "python", "-c", f"import {module}")
        assert not works(*command), module
    assert not works("docker", "exec", searcher, "touch", "/photos/x")
    assert not works("docker", "exec", searcher, "touch", "/models/x")
    assert works("docker", "exec", searcher, "touch", "/thumbnails/x")


def results(reply: Reply) -> object:
    """What was found, in its order. The scores of the stub of Qdrant differ in their sixth digit
    once it has read its disk."""
    status, value = whole(reply)
    return status, without_numbers(value)


def without_numbers(value: object) -> object:
    """A JSON value without its floating-point numbers."""
    if isinstance(value, dict):
        return {name: without_numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [without_numbers(one) for one in value]
    return None if isinstance(value, float) else value


def kill_each(project: Project, clients: Clients) -> None:
    """One container after the other, while clients ask."""
    for service in ("searcher", "indexer"):
        for container in project.containers(service):
            begin(f"{service} killed and started again: no client notices")
            down_and_up(project, container, lambda: clients.wait(ANSWERS))
            clients.wait(ANSWERS)
            assert not clients.wrong, clients.wrong[0][:2000]
    begin("qdrant killed: 503 meanwhile, and the same answers afterwards")
    down_and_up(project, project.containers("qdrant")[0], lambda: clients.wait(ANSWERS))
    check_recovers(clients, says_503)
    begin("balancer killed: nobody answers meanwhile, and the same answers afterwards")
    down_and_up(project, project.containers("balancer")[0], lambda: time.sleep(1))
    check_recovers(clients, lambda one: ": 503 " not in one and ": 502 " not in one)


def says_503(wrong: str) -> bool:
    """Whether an answer says that it cannot be given now; in a batch, each question's does."""
    return ": 503 " in wrong or ("/search/batch: 200 " in wrong and '"status":503' in wrong)


def down_and_up(project: Project, container: str, meanwhile: Callable[[], None]) -> None:
    """Kill a container, and start it again."""
    run("docker", "kill", "--signal=KILL", container)
    meanwhile()
    run("docker", "start", container)
    wait_for("it is healthy again", lambda: project.is_healthy(container))


def check_recovers(clients: Clients, is_honest: Callable[[str], bool]) -> None:
    """Errors were honest, and there are none any more."""
    dishonest = [one for one in clients.forget() if not is_honest(one)]
    assert not dishonest, dishonest[0][:2000]

    def are_right() -> bool:
        clients.wait(ANSWERS)
        return not clients.forget()

    wait_for("all answers are right again", are_right)


def check_follows(project: Project) -> None:
    """A photograph that comes is found, also one that came while the indexer was away."""
    begin("new photographs, one of them while the indexer is away")
    photos = project.folder / "photos"
    shutil.copy(photos / "red" / "0.jpg", photos / "red" / "new.jpg")
    wait_for("a new photograph is found", lambda: images(project) == PHOTOS + 1)
    indexer = project.containers("indexer")[0]

    def add() -> None:
        shutil.copy(photos / "blue" / "0.jpg", photos / "blue" / "new.jpg")

    down_and_up(project, indexer, add)
    wait_for("a photograph that came meanwhile is found", lambda: images(project) == PHOTOS + 2)


def check_scaled(project: Project) -> None:
    """A third searcher is asked by the balancer, which nobody told of it."""
    begin("a third searcher")
    project.compose("up", "--detach", "--no-build", "--scale", "searcher=3")
    third = project.containers("searcher")[-1]
    wait_for("it is healthy", lambda: project.is_healthy(third))
    front = project.inspect(third)["NetworkSettings"]["Networks"]["lookalike-try_front"]

    def is_asked() -> bool:
        images(project)
        return f"from {front['IPAddress']}:" in project.compose("logs", "balancer")

    wait_for("it is asked", is_asked)
