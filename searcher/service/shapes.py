"""The shapes of answers, as the OpenAPI document tells them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0)]


class Shape(BaseModel):
    """A JSON object with exactly these keys."""

    model_config = ConfigDict(extra="forbid")


class Links(Shape):
    """Where the service has an image: the original, a thumbnail, and what is stored of it."""

    image: str
    thumbnail: str
    record: str


class Image(Shape):
    """An indexed image. `path` is relative to `root`, `bytes` is the file's size."""

    id: str
    root: str
    path: str
    cluster: str | None
    width: Count
    height: Count
    format: str
    bytes: Count
    taken_at: str | None
    links: Links


class Record(Image):
    """An indexed image with all that is stored of it."""

    sha256: str
    phash: str
    phash_version: Annotated[int, Field(ge=1)]
    mtime: float
    indexed_at: str
    folders: list[str]


class Recall(Shape):
    """Share of the best results that were found: as expected, or as measured."""

    value: Share
    kind: Literal["expected", "measured"]


class Took(Shape):
    """Milliseconds."""

    decode: float
    encode: float
    search: float
    total: float


class Result(Shape):
    """One result. `record`: all that is stored of it, if asked for."""

    rank: Annotated[int, Field(ge=1)]
    root: str | None
    path: str | None
    id: str
    score: Cosine
    cluster: str | None
    tier: Literal["exact", "near", "similar"] | None
    percentile: Annotated[float, Field(ge=0, le=100)] | None
    explain: dict[str, Any] | None
    record: dict[str, Any] | None
    links: Links | None


class Answer(Shape):
    """The images most like what was asked with, best first; as `searcher query --json`."""

    query: str
    cluster: str
    clusters_searched: list[str]
    probes: Count
    searched: Count
    matching: Count
    total: Count
    number: Count
    recall: Recall | None
    stands_out: bool | None
    least_alike: float | None
    best_score: float | None
    left_out: Count
    remarks: list[str]
    took_ms: Took
    results: list[Result]


class Fault(Shape):
    """One value of a request that is not as it should be."""

    at: str
    message: str


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[Fault] | None = None


class Answers(Shape):
    """An answer or an error for each question, in their order."""

    answers: list[Answer | ProblemDocument]


class Images(Shape):
    """A page of images; `next` is the cursor of the page that follows."""

    images: list[Image]
    next: str | None


class TypicalImage(Image):
    """An image of a cluster; `score` is its cosine to the cluster's centroid."""

    score: Cosine


class ClusterLinks(Shape):
    """Where the service has a cluster."""

    images: str


class Cluster(Shape):
    """A cluster and its most typical images. `share` is of all images."""

    number: Count
    label: str
    size: Count
    share: Share
    samples: list[TypicalImage]
    links: ClusterLinks


class Clusters(Shape):
    """All clusters, the largest first."""

    encoder: str
    generation: str
    total: Count
    clusters: list[Cluster]


class ClusterImages(Shape):
    """A page of a cluster, the most typical images first."""

    number: Count
    label: str
    size: Count
    images: list[TypicalImage]
    next: str | None


class Indexing(Shape):
    """What the indexer at work says of itself. `state` is the line for people, `backlog` the number
    of pending files. `done` and `total` count the present batch of work, null while there is none;
    `seconds_left` is null until it can be estimated."""

    state: str
    indexed: Count
    backlog: Count
    refused: Count
    at: str
    done: Count | None
    total: Count | None
    seconds_left: Annotated[float, Field(ge=0)] | None


class Limits(Shape):
    """How large a question may be: bytes of its body, pixels of a picture, examples."""

    upload_bytes: Count
    pixels: Count
    examples: Count


class FilterField(Shape):
    """What `where` can compare, and with which operators."""

    kind: Literal["word", "number", "date"]
    operators: list[str]


class Stats(Shape):
    """What answers here. `indexing` is null while no indexer runs."""

    version: str
    images: Count
    encoder: str
    generation: str
    clusters: Count
    calibrated: bool
    roots: list[str]
    indexing: Indexing | None
    limits: Limits
    fields: dict[str, FilterField]


class Health(Shape):
    """That all is well."""

    status: Literal["ok"]
