"""Records that cross rooms: payloads, paths that need not be UTF-8, geometry."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.types import (
    EMBEDDING_SIZE,
    PIXELS_VERSION,
    ImageRecord,
    PixelSpec,
    absolute_path,
    ancestor_folders,
    record_path,
    shown_path,
)


def record(relative: bytes = b"a/b.jpg", **changes: Any) -> ImageRecord:
    path, path_raw = record_path(relative)
    values: dict[str, Any] = {
        "id": "6f1c0b3e-0000-5000-8000-000000000000",
        "root": "/photos",
        "path": path,
        "path_raw": path_raw,
        "folders": ancestor_folders(relative),
        "cluster": ("g1/3", "g2/5"),
        "sha256": "ab" * 32,
        "phash": "c4" + "00" * 7,
        "width": 640,
        "height": 480,
        "format": "JPEG",
        "bytes": 12345,
        "mtime": 1_700_000_000.25,
        "taken_at": "2021-03-04T05:06:07",
        "indexed_at": "2026-11-24T00:00:00+00:00",
        "encoder": "0123456789abcdef",
    }
    return ImageRecord(**{**values, **changes})


raw_paths = st.lists(
    st.binary(min_size=1, max_size=12).map(lambda part: part.replace(b"/", b"_")), min_size=1
).map(b"/".join)


@given(relative=raw_paths, taken_at=st.none() | st.just("2021-03-04T05:06:07"))
def test_a_payload_survives_json_whatever_the_name(relative: bytes, taken_at: str | None) -> None:
    made = record(relative, taken_at=taken_at)
    payload = json.loads(json.dumps(made.to_payload()))
    found = ImageRecord.from_payload(made.id, payload)
    assert found == made
    assert found.relative() == relative


def test_the_payload_has_the_keys_that_the_design_names() -> None:
    names = "path root folders cluster sha256 phash phash_version width height format bytes mtime"
    assert set(record().to_payload()) == {*names.split(), "taken_at", "indexed_at", "encoder"}
    assert record().to_payload()["cluster"] == ["g1/3", "g2/5"]


def test_absent_values_are_left_out() -> None:
    payload = record(taken_at=None).to_payload()
    assert "taken_at" not in payload
    assert "path_raw" not in payload
    assert "id" not in payload
    assert ImageRecord.from_payload("x", payload).taken_at is None


def test_keys_of_later_versions_are_passed_over() -> None:
    payload = record().to_payload() | {"tags": ["cat"], "version": 9}
    assert ImageRecord.from_payload(record().id, payload) == record()


def test_only_names_that_are_not_utf8_carry_their_bytes() -> None:
    assert record_path("ä/b.jpg".encode()) == ("ä/b.jpg", None)
    assert record_path(b"a/\xff.jpg") == ("a/\ufffd.jpg", "YS__LmpwZw==")
    assert record_path("\ufffd.jpg".encode()) == ("\ufffd.jpg", None)  # the sign itself, as UTF-8
    assert shown_path(b"\xed\xb2\x80") == "\ufffd" * 3  # a surrogate is not UTF-8


@pytest.mark.parametrize(
    ("relative", "folders"),
    [
        (b"c.jpg", ()),
        (b"a/c.jpg", ("a",)),
        (b"a/b/c.jpg", ("a", "a/b")),
        (b"a/\xff/c.jpg", ("a", "a/\ufffd")),
    ],
)
def test_ancestor_folders(relative: bytes, folders: tuple[str, ...]) -> None:
    assert ancestor_folders(relative) == folders


def test_absolute_path_gives_the_bytes_on_disk() -> None:
    assert absolute_path("/photos", record()) == "/photos/a/b.jpg"
    odd = absolute_path("/photos/", record(b"a/\xff\n.jpg"))
    assert os.fsencode(odd) == b"/photos/a/\xff\n.jpg"


def test_a_spec_survives_json() -> None:
    spec = PixelSpec(size=96, fit="cover", filter="lanczos", draft=False, ground=(1, 2, 3))
    assert PixelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    # What bundles on disk hold: a change here makes every one of them unreadable.
    assert PixelSpec().to_json() == {
        "size": 64,
        "fit": "stretch",
        "filter": "bilinear",
        "draft": True,
        "ground": [255, 255, 255],
    }


def test_a_spec_without_a_version_is_of_the_first() -> None:
    """The first encoders' manifests name none."""
    assert PixelSpec.from_json(PixelSpec().to_json()).version == 1
    newest = PixelSpec(version=PIXELS_VERSION)
    assert newest.to_json()["version"] == PIXELS_VERSION == 2
    assert PixelSpec.from_json(newest.to_json()) == newest


def test_a_point_without_a_hash_version_has_the_first() -> None:
    payload = record(phash_version=2).to_payload()
    assert ImageRecord.from_payload("x", payload).phash_version == 2
    del payload["phash_version"]
    assert ImageRecord.from_payload("x", payload).phash_version == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"version": 0}, ValueError),
        ({"version": 3}, ValueError),
        ({"version": "2"}, ValueError),
        ({"size": 0}, ValueError),
        ({"fit": "crop"}, ValueError),
        ({"filter": "nearest"}, ValueError),
        ({"ground": [0, 0]}, ValueError),
        ({"ground": [0, 0, 256]}, ValueError),
        ({"ground": None}, TypeError),
        ({"depth": 3}, TypeError),
    ],
)
def test_a_spec_that_this_program_does_not_know(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        PixelSpec.from_json(PixelSpec().to_json() | changes)


def test_embeddings_have_the_articles_latent_size() -> None:
    assert EMBEDDING_SIZE == 512
