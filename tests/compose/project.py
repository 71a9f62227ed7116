"""A copy of the project as a user has it, and the containers that run from it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.compose.engine import compose, run
from tests.compose.saying import say
from tests.homes import draw_photos
from tests.services import free_port

NAME = "lookalike-try"
COPIED = (
    *(".dockerignore", "Dockerfile", "docker-compose.yml", "compose.cluster.yml", "deploy"),
    *("LICENSE", "NOTICE", "README.md", "constraints.txt", "pyproject.toml"),
    *("indexer", "searcher", "shared"),
)
SECRETS = ("qdrant_key", "qdrant_read_key", "search_keys")
DEADLINE_SECONDS = 300.0


@contextlib.contextmanager
def project_folder() -> Iterator[Path]:
    """The project with 21 photographs, secrets and fitted models, in a folder that goes again."""
    with tempfile.TemporaryDirectory(prefix=NAME) as name:
        folder, here = Path(name), Path(__file__).parents[2]
        for one in COPIED:
            source = here / one
            ignored = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, folder / one, ignore=ignored)
            else:
                shutil.copy(source, folder / one)
        folder.chmod(0o755)  # containers have users of their own
        draw_photos(folder / "photos", per_color=7)
        (folder / "secrets").mkdir(mode=0o700)
        for one in SECRETS:
            (folder / "secrets" / one).write_text(secrets.token_hex(32) + "\n")
        yield folder


class Project:
    """The compose project in `folder` with the images that are named. As a context it is taken down
    in any case, with its volumes; what its containers said is printed if something failed."""

    def __init__(
        self,
        folder: Path,
        images: Mapping[str, str],
        files: Sequence[str] = ("docker-compose.yml",),
    ) -> None:
        self.folder, self.port, self.dashboard = folder, free_port(), free_port()
        self.images = dict(images)
        self._environment = (
            os.environ
            | images
            | {
                "COMPOSE_PROJECT_NAME": NAME,
                "COMPOSE_FILE": os.pathsep.join(files),
                "SEARCH_PORT": str(self.port),
                "DASHBOARD_PORT": str(self.dashboard),
                "QDRANT_CPUS": "1",
                "INDEXER_CPUS": "1",
            }
        )

    def __enter__(self) -> Project:
        self.compose("down", "--volumes", "--remove-orphans")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            say(self.compose("ps", check=False))
            say(self.compose("logs", "--tail=40", check=False))
        self.compose("down", "--volumes", "--remove-orphans", "--timeout=20")

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run the compose command in the project."""
        command = compose() or ()
        return run(
            *command, *arguments, check=check, folder=self.folder, environment=self._environment
        )

    def key(self, name: str) -> str:
        """A secret's content."""
        return (self.folder / "secrets" / name).read_text().strip()

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers, in their order."""
        label = f"label=com.docker.compose.service={service}"
        mine = f"label=com.docker.compose.project={NAME}"
        found = run("docker", "ps", "--all", "--quiet", "--filter", mine, "--filter", label)
        return sorted(found.split(), key=lambda one: str(self.inspect(one)["Name"]))

    def inspect(self, container: str) -> dict[str, Any]:
        """What Docker knows of a container."""
        found: dict[str, Any] = json.loads(run("docker", "inspect", container))[0]
        return found

    def is_healthy(self, container: str) -> bool:
        """Whether its health check succeeds."""
        return bool(self.inspect(container)["State"]["Health"]["Status"] == "healthy")

    def give_models(self) -> None:
        """Fit clusters out here and put them where the indexer would have put its own."""
        home = self.folder / "home"
        train = ("-m", "indexer", "train", "--starter-only", "--home", home)
        run(sys.executable, *train, self.folder / "photos")
        shared = ("--volume", f"{NAME}_models:/models")
        given = ("--volume", f"{home / 'models'}:/given:ro")
        copy = "cp --recursive /given/. /models/ && chown --recursive 1000:1000 /models"
        rooted = ("--user", "0:0", self.images["SEARCHER_IMAGE"], "sh", "-c", copy)
        run("docker", "run", "--rm", *shared, *given, *rooted)


def wait_for(what: str, look: Callable[[], object]) -> None:
    """Until `look` finds it; fails after `DEADLINE_SECONDS`."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        with contextlib.suppress(OSError):
            if look():
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE_SECONDS:g} s: {what}")
        time.sleep(0.3)
