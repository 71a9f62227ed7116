"""The OpenAPI document is valid, and a running service does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
import schemathesis

from tests.homes import draw_photos, make_home
from tests.services import Service

HOOKS = Path(__file__).with_name("openapi_hooks.py")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")
"""Of each operation; 200 take some minutes."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    draw_photos(folder)
    return folder


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, tiny_tflite: Path
) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("service") / "home"
    make_home(home, photos, tiny_tflite, calibrated=True)
    with Service(home) as service:
        yield service


def test_the_document_is_valid_openapi(service: Service) -> None:
    document = service.get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "components": document["components"]})


def test_every_reference_of_the_document_leads_somewhere(service: Service) -> None:
    document = service.get("/openapi.json").json
    shapes = document["components"]["schemas"]
    text = str(document)
    wanted = {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]}
    assert wanted
    assert wanted <= set(shapes)


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(service: Service, photos: Path) -> None:
    """Valid and invalid requests to every operation but `/events`, which never ends."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"),
            *("--exclude-path", "/events", "--exclude-checks", "positive_data_acceptance"),
            *("--seed", "1", "--max-examples", EXAMPLES, "--continue-on-failure", "--no-color"),
            *("--generation-database", "none"),
        ],
        env=os.environ
        | {
            "SCHEMATHESIS_HOOKS": HOOKS.stem,
            "PYTHONPATH": str(HOOKS.parent),
            "SERVICE": service.url,
            "PICTURES": str(photos),
        },
        cwd=photos,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)  # noqa: T201 - the summary
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{service.text()[-2000:]}"
    assert "No issues found" in done.stdout
