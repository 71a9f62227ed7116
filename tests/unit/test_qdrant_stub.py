"""The stand-in for Qdrant: what the tests that use it may rely on."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grpc import RpcError
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from tests.qdrant.certificates import self_signed
from tests.qdrant.checking import json_schema
from tests.qdrant.cut_openapi import TARGET, cut
from tests.qdrant.running import Running, qdrant

ALL, READING = "key-for-all", "key-for-reading"
IDS = [f"{n:08x}-0000-5000-8000-000000000000" for n in range(6)]
UNKNOWN = "ffffffff-0000-5000-8000-000000000000"
VECTOR = models.VectorParams(
    size=4, distance=models.Distance.COSINE, datatype=models.Datatype.FLOAT16, on_disk=True
)
TENANT = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)


@pytest.fixture(scope="module")
def stub() -> Iterator[Running]:
    with qdrant() as running:
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A collection of its own for every test, for the stub is shared."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name)


@contextmanager
def client(
    stub: Running, *, grpc: bool = False, key: str | None = None, trusted: Path | None = None
) -> Iterator[QdrantClient]:
    more: dict[str, Any] = {"verify": False}  # to read all authorities takes longer than a test
    if trusted is not None:
        more["verify"] = ssl.create_default_context(cafile=trusted)
        more["grpc_options"] = {"root_certificates": trusted.read_bytes()}
    one = QdrantClient(
        url=stub.url,
        grpc_port=stub.grpc_port,
        prefer_grpc=grpc,
        headers={"api-key": key} if key else None,
        check_compatibility=False,
        timeout=5,
        **more,
    )
    try:
        yield one
    finally:
        one.close()


def fill(one: QdrantClient, name: str) -> None:
    """A collection like ours, with six points on a quarter of a circle."""
    one.create_collection(
        name,
        {"image": VECTOR},
        hnsw_config=models.HnswConfigDiff(m=16, payload_m=16),
        quantization_config=models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        ),
        shard_number=3,
        replication_factor=2,
        write_consistency_factor=2,
        metadata={"made_by": "a test"},
    )
    one.create_payload_index(name, "cluster", TENANT)
    one.upsert(
        name,
        models.Batch(
            ids=IDS,
            vectors={
                "image": [[float(np.cos(n / 4)), float(np.sin(n / 4)), 0, 0] for n in range(6)]
            },
            payloads=[
                {"cluster": [f"g1/{n % 2}"], "width": 100 * n, "mtime": n / 4, "taken_at": None}
                for n in range(6)
            ],
        ),
    )


def alias(one: QdrantClient, name: str, called: str) -> None:
    wanted = models.CreateAlias(collection_name=name, alias_name=called)
    one.update_collection_aliases([models.CreateAliasOperation(create_alias=wanted)])


def answers(one: QdrantClient, name: str) -> dict[str, Any]:
    """Everything that our store asks for."""
    cluster = models.FieldCondition(key="cluster", match=models.MatchValue(value="g1/1"))
    wide = models.FieldCondition(key="width", range=models.Range(gte=300))
    query = models.QueryRequest(
        query=[1.0, 0.0, 0.0, 0.0], using="image", limit=5, with_payload=True
    )
    in_cluster = query.model_copy(update={"filter": models.Filter(must=[cluster])})
    return {
        "info": one.get_collection(name),
        "names": name in [found.name for found in one.get_collections().collections],
        "exists": (one.collection_exists(name), one.collection_exists("nobody")),
        "query": one.query_batch_points(name, [query, in_cluster]),
        "one": one.query_points(name, [0.0, 1.0, 0.0, 0.0], using="image", limit=1),
        "count": one.count(name, models.Filter(must=[cluster], must_not=[wide])),
        "facet": one.facet(name, "cluster", exact=True),
        "points": one.retrieve(name, [IDS[4], IDS[1]], with_vectors=["image"]),
        "page": one.scroll(name, limit=2, with_vectors=True),
        "next": one.scroll(name, limit=4, offset=IDS[2], with_payload=False),
    }


def test_both_faces_give_the_same_answers(stub: Running, name: str) -> None:
    found = []
    for grpc in (False, True):
        with client(stub, grpc=grpc) as one:
            fill(one, f"{name}-{grpc}")
            found.append(answers(one, f"{name}-{grpc}"))
    rest, grpc_ = found
    assert rest.keys() == grpc_.keys()
    # gRPC has no way to say that a payload was not asked for.
    assert {point.payload is None for point in rest["next"][0]} == {True}
    for record in (*rest["next"][0],):
        record.payload = {}
    assert rest == grpc_
    assert [round(hit.score, 4) for hit in rest["query"][1].points] == [0.9689, 0.7317, 0.3153]
    assert rest["count"].count == 1
    assert rest["next"][1] is None
    assert rest["page"][1] == IDS[2]
    assert stub.violations() == []


@pytest.mark.parametrize("grpc", [False, True])
def test_everything_that_changes_points(stub: Running, name: str, grpc: bool) -> None:
    with client(stub, grpc=grpc) as one:
        fill(one, name)
        one.set_payload(name, {"width": 7}, models.Filter(must=[models.HasIdCondition(has_id=IDS)]))
        assert {point.payload["width"] for point in one.scroll(name)[0]} == {7}
        one.overwrite_payload(name, {"cluster": ["g9/9"]}, [IDS[0]])
        one.delete_payload(name, ["width"], [IDS[1]])
        one.clear_payload(name, [IDS[2]])
        payloads = [point.payload for point in one.retrieve(name, IDS[:3])]
        assert payloads[0] == {"cluster": ["g9/9"]}
        assert "width" not in payloads[1]
        assert payloads[2] == {}
        relabel = models.SetPayload(payload={"cluster": ["g2/0"]}, points=[IDS[5]])
        one.batch_update_points(
            name,
            [
                models.SetPayloadOperation(set_payload=relabel),
                models.DeleteOperation(delete=models.PointIdsList(points=[IDS[0], IDS[1]])),
            ],
        )
        one.delete(name, models.Filter(must=[models.HasIdCondition(has_id=[IDS[2]])]))
        assert [point.id for point in one.scroll(name)[0]] == IDS[3:]
        assert one.retrieve(name, [IDS[5]])[0].payload["cluster"] == ["g2/0"]
        one.delete_payload_index(name, "cluster")
        assert one.get_collection(name).payload_schema == {}
        one.update_collection(name, hnsw_config=models.HnswConfigDiff(payload_m=8))
        assert one.get_collection(name).config.hnsw_config.payload_m == 8
        alias(one, name, f"{name}-alias")
        assert one.count(f"{name}-alias").count == 3
        assert [found.alias_name for found in one.get_collection_aliases(name).aliases] == [
            f"{name}-alias"
        ]
        assert one.delete_collection(name)
        assert not one.collection_exists(f"{name}-alias")
    assert stub.violations() == []


def test_parameters_are_those_that_were_asked_for(stub: Running, name: str) -> None:
    with client(stub) as one:
        fill(one, name)
        info = one.get_collection(name)
    parameters = info.config.params
    assert parameters.vectors == {"image": VECTOR}
    assert (parameters.shard_number, parameters.replication_factor) == (3, 2)
    assert parameters.write_consistency_factor == 2
    assert info.config.hnsw_config.payload_m == 16
    assert info.config.quantization_config.scalar.type == "int8"
    assert info.config.metadata == {"made_by": "a test"}
    assert info.payload_schema["cluster"].params == TENANT
    assert info.payload_schema["cluster"].points == info.points_count == 6


def test_vectors_come_back_normal_and_halved(stub: Running, name: str) -> None:
    with client(stub) as one:
        fill(one, name)
        one.upsert(name, [models.PointStruct(id=IDS[0], vector={"image": [3.0, 4.0, 0.1, 0.0]})])
        [point] = one.retrieve(name, [IDS[0]], with_vectors=True)
    exact = np.array([3.0, 4.0, 0.1, 0.0]) / np.linalg.norm([3.0, 4.0, 0.1, 0.0])
    assert point.vector == {"image": exact.astype(np.float16).astype(float).tolist()}


@pytest.mark.parametrize(
    ("asks", "status", "says"),
    [
        (lambda one, name: one.get_collection("nobody"), 404, "`nobody` doesn't exist!"),
        (lambda one, name: one.create_collection(name, {}), 409, "already exists!"),
        (lambda one, name: alias(one, "nobody", "a"), 404, "`nobody` doesn't exist!"),
        (lambda one, name: alias(one, name, name), 409, "already exists!"),
        (lambda one, name: one.facet(name, "root"), 400, "No appropriate index for faceting"),
        (lambda one, name: one.set_payload(name, {}, [UNKNOWN]), 404, "No point with id"),
        (lambda one, name: one.delete(name, []), 400, "Empty update request"),
        (
            lambda one, name: one.query_points(name, [1.0], using="nothing"),
            400,
            "nothing is not found",
        ),
    ],
)
def test_errors_are_those_of_the_server(
    stub: Running, name: str, asks: Any, status: int, says: str
) -> None:
    with client(stub) as one:
        fill(one, name)
        with pytest.raises(UnexpectedResponse) as caught:
            asks(one, name)
    assert caught.value.status_code == status
    error = json.loads(caught.value.content)
    assert says in error["status"]["error"]
    assert isinstance(error["time"], float)


def request(stub: Running, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    link = http.client.HTTPConnection("127.0.0.1", stub.port, timeout=30)
    try:
        link.request(method, path, body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    finally:
        link.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("POST", "/collections/c/points/search", "{}", 404, "no such route"),
        ("GET", "/collections/c/points/count", None, 404, "no such route"),
        ("GET", "/collections?first=1", None, 400, "unknown parameter 'first'"),
        ("PUT", "/collections/c/points?wait=maybe", '{"points": []}', 400, "wait='maybe'"),
        ("POST", "/collections/c/points/count", '{"exakt": true}', 400, "exakt"),
        ("POST", "/collections/c/points", '{"ids": ["not an id"]}', 400, "ids/0"),
        ("POST", "/collections/c/points/count", '{"filter": {"must": [{"kei": 1}]}}', 400, "must"),
        ("POST", "/collections/c/points/count", "{", 400, "Expecting"),
        ("PUT", "/collections/c/points", '{"points": [NaN]}', 400, "NaN"),
        ("GET", "/collections/c", "{}", 400, "has a body"),
    ],
)
def test_what_does_not_fit_the_document_is_told(
    stub: Running, method: str, path: str, body: str | None, status: int, problem: str
) -> None:
    assert request(stub, method, path, body)[0] == status
    [violation] = stub.expect_violations()
    assert (violation["method"], violation["path"]) == (method, path.partition("?")[0])
    assert problem in violation["problems"][0]


def test_what_may_be_null_may_be_null_and_nothing_else() -> None:
    described = {"properties": {"a": {"anyOf": [{"type": "integer"}, {"nullable": True}]}}}
    assert json_schema({"type": "string", "nullable": True}) == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }
    assert json_schema({"type": "object"} | described) == {
        "type": "object",
        "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        "additionalProperties": False,
    }


def test_the_document_holds_what_it_refers_to() -> None:
    document = json.loads(TARGET.read_text())
    assert cut(document)["paths"] == document["paths"]
    assert cut(document)["components"] == document["components"]
    assert "Apache" in document["info"]["license"]["name"]


def test_health_needs_nothing(stub: Running) -> None:
    assert request(stub, "GET", "/healthz") == (200, "healthz check passed")
    assert request(stub, "GET", "/readyz") == (200, "all shards are ready")
    assert json.loads(request(stub, "GET", "/")[1])["version"] == "1.18.3"


@pytest.mark.parametrize("how", ["429", "500", "503", "507"])
def test_failing_with_a_status_carries_nothing_out(stub: Running, name: str, how: str) -> None:
    with client(stub) as one:
        fill(one, name)
        stub.fail([{"match": f"POST .*{name}/points/delete", "how": how, "seconds": 1.2}])
        with pytest.raises(Exception) as caught:  # noqa: PT011 - 429 raises a class of its own
            one.delete(name, [IDS[0]])
        assert getattr(caught.value, "status_code", 429) == int(how)
        if how == "429":
            assert caught.value.retry_after_s == 2
        assert one.count(name).count == 6
        one.delete(name, [IDS[0]])
        assert one.count(name).count == 5


def test_a_plan_is_for_some_requests_and_some_times(stub: Running, name: str) -> None:
    with client(stub) as one:
        fill(one, name)
        stub.fail([{"match": f"PUT /collections/{name}/points", "how": "503", "times": 2}])
        assert one.count(name).count == 6
        for _ in range(2):
            with pytest.raises(UnexpectedResponse):
                one.upsert(name, [models.PointStruct(id=1, vector={})])
        one.upsert(name, [models.PointStruct(id=1, vector={})])
        assert one.count(name).count == 7
    assert stub.requests().count(("PUT", f"/collections/{name}/points")) == 4
    with pytest.raises(AssertionError, match="how='badly'"):
        stub.fail([{"match": "", "how": "badly"}])


@pytest.mark.parametrize(("how", "left"), [("reset-before", 6), ("reset-after", 5)])
def test_a_reset_comes_before_or_after_the_write(
    stub: Running, name: str, how: str, left: int
) -> None:
    with client(stub) as one:
        fill(one, name)
        stub.fail([{"match": "points/delete", "how": how}])
        with pytest.raises(ResponseHandlingException, match="reset by peer"):
            one.delete(name, [IDS[0]])
        assert one.count(name).count == left


@pytest.mark.parametrize(("how", "answered"), [("timeout", False), ("slow", True)])
def test_waiting_for_an_answer(stub: Running, name: str, how: str, answered: bool) -> None:
    with client(stub) as one:
        fill(one, name)
        stub.fail([{"match": "points/count", "how": how, "seconds": 0.2}])
        started = time.monotonic()
        if answered:
            assert one.count(name).count == 6
        else:
            with pytest.raises(ResponseHandlingException, match="disconnected"):
                one.count(name)
        assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    ("how", "code", "left"),
    [
        ("503", "UNAVAILABLE", 6),
        ("507", "RESOURCE_EXHAUSTED", 6),
        ("500", "INTERNAL", 6),
        ("reset-before", "UNAVAILABLE", 6),
        ("reset-after", "UNAVAILABLE", 5),
        ("timeout", "DEADLINE_EXCEEDED", 6),
    ],
)
def test_grpc_fails_with_its_own_statuses(
    stub: Running, name: str, how: str, code: str, left: int
) -> None:
    with client(stub, grpc=True) as one:
        fill(one, name)
        if how == "timeout":
            one._client._timeout = 0.2
        stub.fail([{"match": "points/delete", "how": how, "seconds": 1.0}])
        with pytest.raises(RpcError) as caught:
            one.delete(name, [IDS[0]])
        assert caught.value.code().name == code
        one._client._timeout = 5
        assert one.count(name).count == left


def test_a_frozen_stub_answers_when_it_goes_on(stub: Running) -> None:
    stub.stop_answering()
    try:
        link = http.client.HTTPConnection("127.0.0.1", stub.port, timeout=0.2)
        link.request("GET", "/healthz")
        with pytest.raises(TimeoutError):
            link.getresponse()
    finally:
        stub.go_on()
        link.close()
    assert request(stub, "GET", "/healthz")[0] == 200


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """A stub with TLS, keys, a folder and a version of its own; and whom to trust."""
    folder = tmp_path_factory.mktemp("closed")
    certificate = self_signed(folder)
    with qdrant(
        folder / "storage",
        api_key=ALL,
        read_only_key=READING,
        version="1.12.0",
        certificate=certificate,
    ) as running:
        yield running, certificate[0]
        assert running.stop() == 0


@pytest.mark.parametrize("grpc", [False, True])
def test_keys_open_what_they_are_for(closed: tuple[Running, Path], name: str, grpc: bool) -> None:
    stub, trusted = closed
    with client(stub, grpc=grpc, key=ALL, trusted=trusted) as one:
        fill(one, name)
        everything = answers(one, name)
    with client(stub, grpc=grpc, key=READING, trusted=trusted) as one:
        assert answers(one, name) == everything
        assert refusal(lambda: one.delete(name, IDS)) == (
            "PERMISSION_DENIED" if grpc else 403,
            "Forbidden: Global manage access is required",
        )
        assert refusal(lambda: one.delete_collection(name))[0] in (403, "PERMISSION_DENIED")
        assert one.count(name).count == 6
    for key, says in ((None, "Must provide an API key"), ("wrong", "Invalid API key or JWT")):
        with client(stub, grpc=grpc, key=key, trusted=trusted) as one:
            status, text = refusal(lambda: one.get_collections())
            assert status == ("UNAUTHENTICATED" if grpc else 401)
            assert says in text
    assert stub.violations() == []


def refusal(asks: Any) -> tuple[int | str, str]:
    """Status and words of what is refused, over either face."""
    try:
        asks()
    except UnexpectedResponse as error:
        text = error.content.decode()
        is_json = text.startswith("{")
        return error.status_code, json.loads(text)["status"]["error"] if is_json else text
    except RpcError as error:
        return error.code().name, error.details()
    raise AssertionError("it was not refused")


def test_what_was_acknowledged_survives_a_kill(closed: tuple[Running, Path], name: str) -> None:
    stub, trusted = closed
    with client(stub, key=ALL, trusted=trusted) as one:
        fill(one, name)
        before = answers(one, name)
        alias(one, name, f"{name}-alias")
        one.upsert(name, [models.PointStruct(id=7, vector={"image": [0, 0, 0, 1.0]})])
        one.delete(name, [IDS[5]])
        one.set_payload(name, {"width": 1}, [IDS[0]])
    stub.kill()
    stub.restart()
    with client(stub, key=ALL, trusted=trusted) as one:
        assert one.info().version == "1.12.0"
        assert one.count(f"{name}-alias").count == 6
        assert one.retrieve(name, [7, IDS[5]])[0].id == 7
        assert one.retrieve(name, [IDS[0]])[0].payload["width"] == 1
        assert answers(one, name)["info"].config == before["info"].config
        assert answers(one, name)["info"].payload_schema.keys() == {"cluster"}
        assert answers(one, name)["points"] == before["points"]


def test_keys_come_from_the_servers_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.qdrant.options import parsed

    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", ALL)
    monkeypatch.setenv("QDRANT__SERVICE__READ_ONLY_API_KEY", READING)
    assert (parsed([]).api_key, parsed([]).read_only_key) == (ALL, READING)
    assert parsed(["--api-key", "other"]).api_key == "other"


def test_a_violation_ends_the_context_with_an_error() -> None:
    running = qdrant(acknowledge_only=True)
    stub = running.__enter__()
    for grpc in (False, True):
        with client(stub, grpc=grpc) as one:
            acknowledges_only(one, f"c{grpc}")
    assert stub.violations() == []
    request(stub, "POST", "/collections/c/points/search", "{}")
    stub.kill()
    with pytest.raises(AssertionError, match="points/search"):
        running.__exit__(None, None, None)


def acknowledges_only(one: QdrantClient, name: str) -> None:
    """What is written is not kept, what is looked for is always found."""
    fill(one, name)
    assert one.count(name).count == 0
    query = models.QueryRequest(query=[1.0, 0.0, 0.0, 0.0], using="image", with_payload=True)
    full, *_ = one.query_batch_points(name, [query] * 3)
    assert len(full.points) == 10
    assert full.points[0].payload["cluster"] == ["g1/0"]
    plain = query.model_copy(update={"with_payload": False})
    assert len(one.query_batch_points(name, [plain] * 2)) == 2
    assert one.delete(name, IDS).status == "completed"
