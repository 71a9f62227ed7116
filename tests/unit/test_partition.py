"""Which part a path belongs to: the same for ever, evenly, and moved as little as can be."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.partition import (
    MAX_PARTS,
    WHOLE,
    Partition,
    jump_hash,
    partition_of,
    path_key,
    require_leader,
)
from shared.errors import SettingsError
from shared.settings import Settings

PATHS = [b"album/%05d.jpg" % number for number in range(20_000)]
MOST = 6
SERVER = "http://qdrant:6333"


def _parts(count: int) -> list[int]:
    """The part of each path, by asking every partition."""
    partitions = [Partition(number, count) for number in range(1, count + 1)]
    found = []
    for path in PATHS:
        (owner,) = [one.number for one in partitions if one.has("/photos", path)]
        found.append(owner)
    return found


@pytest.mark.parametrize(
    ("key", "buckets", "bucket"),
    # Published with ClickHouse's jumpConsistentHash, an implementation that is not ours.
    [
        (1, 1, 0),
        (42, 57, 43),
        (256, 1024, 520),
        (3735883980, 1, 0),
        (3735883980, 666, 361),
        (16045690984833335023, 255, 237),
    ],
)
def test_the_hash_is_that_of_lamping_and_veach(key: int, buckets: int, bucket: int) -> None:
    assert jump_hash(key, buckets) == bucket


@pytest.mark.parametrize(
    ("root", "path", "key", "parts"),
    # Keys by `printf '/photos\\0red/0.jpg' | b2sum -l 64`, parts by the paper's own lines in C.
    [
        ("/photos", b"red/0.jpg", 0xCEAB8322EAC53C4F, (1, 1, 6, 180)),
        ("/photos", b"red/1.jpg", 0x4C61EA6CA8A44026, (2, 2, 2, 580)),
        ("photos", b"a/\xff\xfe.jpg", 0x094CADE776C5CD3E, (1, 1, 1, 919)),
        ("/mnt/\u00fcber", b"x.png", 0xD83B95A8D1BEC394, (2, 2, 4, 177)),
    ],
)
def test_a_path_belongs_to_the_same_part_for_ever(
    root: str, path: bytes, key: int, parts: tuple[int, ...]
) -> None:
    assert path_key(root, path) == key
    for count, number in zip((2, 3, 6, 1024), parts, strict=True):
        assert Partition(number, count).has(root, path)


@pytest.mark.parametrize("count", range(1, MOST))
def test_one_more_part_moves_only_its_share_and_only_to_it(count: int) -> None:
    before, after = _parts(count), _parts(count + 1)
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {count + 1}
    # Four standard deviations of a binomial: the hash is fixed, so this never changes.
    share = 1 / (count + 1)
    deviation = (share * (1 - share) / len(PATHS)) ** 0.5
    assert abs(len(moved) / len(PATHS) - share) < 4 * deviation


def test_the_parts_are_even() -> None:
    sizes = Counter(_parts(MOST))
    assert sorted(sizes) == list(range(1, MOST + 1))
    assert max(sizes.values()) / min(sizes.values()) < 1.1


@given(st.binary(min_size=1), st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 64))
def test_every_path_belongs_to_one_part_of_any_number(path: bytes, root: str, count: int) -> None:
    owners = [number for number in range(1, count + 1) if Partition(number, count).has(root, path)]
    assert len(owners) == 1
    more = [n for n in range(1, count + 2) if Partition(n, count + 1).has(root, path)]
    assert more == owners or more == [count + 1]


def test_the_root_counts_and_is_told_from_the_path() -> None:
    assert path_key("a", b"b/c") != path_key("a/b", b"c")
    assert path_key("a", b"") != path_key("", b"a")


@pytest.mark.parametrize("text", ["1/1", "2/3", "1024/1024"])
def test_a_partition_is_read_and_written(text: str) -> None:
    assert str(Partition.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/-3", " 1/2", "1/2 ", "1 /2", "1/2/3", "a/b", "1.0/2",
     f"1/{MAX_PARTS + 1}", "1/99999999999", "\u0661/\u0662"],
)  # fmt: skip
def test_what_is_no_partition_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"setting partition is .*: it must be i/n"):
        Partition.parse(text)


def test_the_setting_asks_for_a_part_where_a_server_is_shared(tmp_path: Path) -> None:
    assert partition_of(Settings(tmp_path)) == partition_of(Settings(tmp_path, partition="1/1"))
    assert partition_of(Settings(tmp_path, qdrant_url=SERVER)) == WHOLE
    assert partition_of(Settings(tmp_path, qdrant_url=SERVER, partition="2/3")) == Partition(2, 3)
    with pytest.raises(SettingsError, match="no indexers share an embedded store"):
        partition_of(Settings(tmp_path, partition="2/3"))


def test_only_the_first_part_has_the_say_about_models(tmp_path: Path) -> None:
    for part in (None, "1/1", "1/3"):
        require_leader(Settings(tmp_path, qdrant_url=SERVER, partition=part), "train")
    with pytest.raises(SettingsError, match="2/3 does not train: do it where partition 1/3 is"):
        require_leader(Settings(tmp_path, qdrant_url=SERVER, partition="2/3"), "train")


def test_the_figures_of_the_documentation() -> None:
    moved = [
        sum(old != new for old, new in zip(before, after, strict=True)) / len(PATHS)
        for before, after in pairwise([_parts(count) for count in range(1, MOST + 1)])
    ]
    assert moved == pytest.approx([0.495, 0.335, 0.243, 0.196, 0.163], abs=0.0006)
