"""The compose files, with every variable resolved: who may do what, and who is reachable."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from searcher.service.policy import Policy
from shared.settings import PREFIX, Settings

HERE = Path(__file__).parents[2]
ONE = ("docker-compose.yml",)
CLUSTER = ("docker-compose.yml", "compose.cluster.yml")
VARIABLE = re.compile(r"\$\{(\w+):-([^}]+)\}")
REPLACED = {"command", "entrypoint", "test"}
"""Lists that an override replaces; others it adds to."""


def resolved(names: tuple[str, ...]) -> dict[str, Any]:
    """The files as Compose merges them, with the default of every variable."""
    whole: dict[str, Any] = {}
    for name in names:
        text = VARIABLE.sub(r"\2", (HERE / name).read_text())
        assert "$" not in text, f"{name} has a variable without a default"
        whole = merged(whole, yaml.safe_load(text))
    return whole


def merged(base: Any, over: Any, key: str = "") -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {
            name: merged(base[name], over[name], name)
            if name in base and name in over
            else {**base, **over}[name]
            for name in {**base, **over}
        }
    if isinstance(base, list) and isinstance(over, list) and key not in REPLACED:
        return base + [one for one in over if one not in base]
    return over


@pytest.fixture(scope="module", params=[ONE, CLUSTER], ids=["one", "cluster"])
def whole(request: pytest.FixtureRequest) -> dict[str, Any]:
    return resolved(request.param)


@pytest.fixture
def services(whole: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = whole["services"]
    return found


def mounts(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Where volumes lie: their source, and whether they can be written to."""
    found = {}
    for text in service.get("volumes", []):
        source, target, *options = text.split(":")
        found[target] = source, options != ["ro"]
    return found


def test_every_container_may_do_no_more_than_it_must(services: dict[str, dict[str, Any]]) -> None:
    for name, one in services.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", one["user"]), name
        assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(one)
        assert re.fullmatch(r"[1-9]\d*[mg]", one["mem_limit"]), name
        assert float(one["cpus"]) > 0, name
        assert one["pids_limit"] > 0, name
        assert "docker.sock" not in str(one), name


def test_images_are_pinned_to_a_version(services: dict[str, dict[str, Any]]) -> None:
    for name, one in services.items():
        if one["image"].startswith("lookalike-"):
            assert "build" in one or one["pull_policy"] == "never", name
        else:
            assert re.search(r":v?\d+\.\d+\.\d+", one["image"]), one["image"]


def test_the_python_image_is_the_one_of_the_dockerfile(whole: dict[str, Any]) -> None:
    text = (HERE / "Dockerfile").read_text()
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.MULTILINE)
    assert default is not None
    assert re.search(r":\d+\.\d+\.\d+", default[1])
    built = [one["build"] for one in whole["services"].values() if "build" in one]
    assert {one["args"]["PYTHON_IMAGE"] for one in built} == {default[1]}
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    assert {one["target"] for one in built} == {"searcher", "indexer"}
    for target in ("searcher", "indexer"):
        parent = {stage: base for base, stage in stages}[target]
        assert parent == "runtime", "the base of what runs has no tools to build with"
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["1000:1000"]
    assert len(re.findall(r"^HEALTHCHECK ", text, re.MULTILINE)) == 2


def test_only_balancer_and_dashboard_are_published_and_only_here(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert published == {
        "balancer": ["127.0.0.1:8765:8080"],
        "qdrant": ["127.0.0.1:6333:6333"],
    }
    assert not any("expose" in one for one in services.values())


def test_only_those_who_need_it_reach_the_store(services: dict[str, dict[str, Any]]) -> None:
    for name, one in services.items():
        wanted = ["front"] if name == "balancer" else ["store"]
        assert one["networks"] == (["store", "front"] if name == "searcher" else wanted), name


def test_every_container_has_a_health_check_of_what_its_image_holds(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, one in services.items():
        kind, program, *rest = one["healthcheck"]["test"]
        assert kind == "CMD", name
        assert program in ("bash", "python", "indexer"), name
        assert "curl" not in str(rest), name
        assert "wget" not in str(rest), name
        if program == "bash":
            target = mounts(one)
            folder = target.get(str(Path(rest[0]).parent))
            source = folder[0] + "/" + Path(rest[0]).name if folder else target[rest[0]][0]
            assert (HERE / source).is_file(), name


def test_who_needs_the_store_waits_until_it_is_healthy(services: dict[str, dict[str, Any]]) -> None:
    nodes = {name for name in services if name.startswith("qdrant")}
    for name, one in services.items():
        needed = one.get("depends_on", {})
        assert set(needed) <= set(services), name
        if name.startswith(("indexer", "searcher")):
            healthy = {key for key, how in needed.items() if how["condition"] == "service_healthy"}
            assert healthy >= nodes, name


def test_secrets_come_from_files_and_only_to_those_who_need_them(
    whole: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    assert whole["secrets"] == {
        name: {"file": f"./secrets/{name}"}
        for name in ("qdrant_key", "qdrant_read_key", "search_keys")
    }
    for name, one in services.items():
        wanted = {
            "qdrant": {"qdrant_key", "qdrant_read_key"},
            "indexer": {"qdrant_key"},
            "searcher": {"qdrant_read_key", "search_keys"},
            "balancer": set(),
        }[re.sub(r"-\d+$", "", name)]
        assert set(one.get("secrets", [])) == wanted, name
        for variable, value in one.get("environment", {}).items():
            if "KEY" in variable:
                assert variable.endswith("_FILE"), variable
                assert value.removeprefix("/run/secrets/") in wanted, variable
    assert "--api-keys=/run/secrets/search_keys" in services["searcher"]["command"]


def test_photographs_and_models_cannot_be_written_to_by_searchers(
    whole: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    assert mounts(services["searcher"]) == {
        "/photos": ("./photos", False),
        "/models": ("models", False),
        "/thumbnails": ("thumbnails", True),
    }
    homes = []
    for name, one in services.items():
        found = mounts(one)
        if name.startswith("indexer"):
            assert found["/photos"] == ("./photos", False)
            assert found["/models"] == ("models", True)
            homes.append(found["/var/lib/lookalike"])
        for source, _ in found.values():
            assert source in whole["volumes"] or (HERE / source).exists() or source == "./photos"
    assert len(set(homes)) == len(homes), "each indexer has a home of its own"
    data = [mounts(one)["/qdrant/storage"] for name, one in services.items() if "qdrant" in name]
    assert len(set(data)) == len(data), "each node has a disk of its own"


def test_what_must_be_written_lies_in_memory(services: dict[str, dict[str, Any]]) -> None:
    for name, one in services.items():
        folders = [text.split(":")[0] for text in one["tmpfs"]]
        assert "/tmp" in folders, name  # noqa: S108
        if name.startswith("qdrant"):
            environment = one["environment"]
            assert environment["QDRANT__TELEMETRY_DISABLED"] == "true"
            assert Path(environment["QDRANT_INIT_FILE_PATH"]).parent.as_posix() in folders
    assert "/var/lib/lookalike" in [one.split(":")[0] for one in services["searcher"]["tmpfs"]]


def test_every_setting_that_is_given_exists(services: dict[str, dict[str, Any]]) -> None:
    known = {PREFIX + one.name.upper() for one in fields(Settings)}
    given = {key for one in services.values() for key in one.get("environment", {})}
    ours = {key for key in given if key.startswith(PREFIX)}
    assert ours
    assert ours <= known


def test_a_cluster_of_three_nodes_and_two_indexers() -> None:
    services = resolved(CLUSTER)["services"]
    nodes = ("qdrant", "qdrant-2", "qdrant-3")
    assert {name for name in services if "qdrant" in name} == set(nodes)
    for name in nodes:
        one = services[name]
        assert one["environment"]["QDRANT__CLUSTER__ENABLED"] == "true"
        begin = [] if name == "qdrant" else ["--bootstrap", "http://qdrant:6335"]
        assert one["command"] == [*begin, "--uri", f"http://{name}:6335"]
    parts = []
    for name in ("indexer", "indexer-2", "searcher"):
        environment = services[name]["environment"]
        assert environment["LOOKALIKE_QDRANT_URL"] == ",".join(f"http://{n}:6333" for n in nodes)
        assert environment["LOOKALIKE_QDRANT_SHARDS"] == "6"
        assert environment["LOOKALIKE_QDRANT_REPLICAS"] == "3"
        assert environment["LOOKALIKE_QDRANT_WRITE_CONSISTENCY"] == "2"
        parts.append(environment.get("LOOKALIKE_PARTITION"))
    assert parts == ["1/2", "2/2", None]


def test_two_searchers_know_the_photographs_by_the_indexer_s_name() -> None:
    services = resolved(ONE)["services"]
    assert services["searcher"]["scale"] == 2
    command = services["indexer"]["command"]
    name, folder = command[command.index("--root-name") + 1], command[-1]
    assert services["searcher"]["environment"]["LOOKALIKE_ROOTS"] == f"{name}={folder}"


def test_the_balancer_takes_what_the_service_takes() -> None:
    text = (HERE / "deploy" / "nginx" / "nginx.conf").read_text()
    policy = Policy()
    found = dict(re.findall(r"^ *(client_max_body_size|client_\w+_timeout) (\S+);", text, re.M))
    assert found == {
        "client_max_body_size": f"{policy.upload_bytes // 2**20}m",
        "client_header_timeout": f"{policy.head_seconds:g}s",
        "client_body_timeout": f"{policy.body_seconds:g}s",
    }
    port = re.search(r"searcher:(\d+);", (HERE / "deploy" / "nginx" / "searchers.conf").read_text())
    assert port is not None
    assert f"--port={port[1]}" in resolved(ONE)["services"]["searcher"]["command"]


def test_nothing_private_goes_into_an_image() -> None:
    first = (HERE / ".dockerignore").read_text().splitlines()
    assert next(line for line in first if not line.startswith("#")) == "*"
    assert not {"!secrets", "!photos", "!.git", "!."} & set(first)


def test_every_variable_is_documented() -> None:
    text = (HERE / "docs" / "containers.md").read_text()
    for name in CLUSTER:
        for variable, default in VARIABLE.findall((HERE / name).read_text()):
            assert f"`{variable}`" in text, variable
            assert f"`{default}`" in text, f"{variable}: {default}"
