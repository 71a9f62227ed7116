"""Conditions resolved against a store: globs, Unicode spellings, values that exist nowhere."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searcher.query import conditions
from searcher.query.conditions import resolve
from shared.errors import QueryError
from shared.store.protocol import Probe
from shared.where import parse_where
from tests.fakes import MemoryStore, axis_vector, record

NFC, NFD = "caf\u00e9", "cafe\u0301"
PATHS = (
    "horses/a.jpg",
    "2024/horses/b.jpg",
    "buses/red/c.png",
    "buses/d.jpg",
    f"{NFC}/{NFD}.jpg",
    f"{NFD}/{NFC}.jpg",
    "a[1]/e.jpg",
    "a1/f.jpg",
    "top.jpg",
)


def store_of(*paths: str) -> MemoryStore:
    store = MemoryStore()
    records = [record(path) for path in paths]
    store.upsert(records, np.stack([axis_vector(1)] * len(records)))
    return store


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    return store_of(*PATHS)


def found(store: MemoryStore, *texts: str) -> set[str]:
    """The paths that meet conditions, as a search counts them."""
    where = resolve(parse_where(texts), store)
    answers = store.search([Probe(axis_vector(1), None, 99, where)])
    return {one.record.path for one in answers[0] if one.record}


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["folder=bus*"], {"buses/red/c.png", "buses/d.jpg"}),
        (["folder=bus*/red"], {"buses/red/c.png"}),
        (["folder=bus*", "folder!=*/red"], {"buses/d.jpg"}),
        (["folder=**/horses"], {"horses/a.jpg", "2024/horses/b.jpg"}),
        (["folder=h?rses", "folder=b[tu]ses"], {"horses/a.jpg", "buses/red/c.png", "buses/d.jpg"}),
        (["path=*.jpg"], {"top.jpg"}),
        (["path=buses/*.jpg"], {"buses/d.jpg"}),
        (["path=buses/**"], {"buses/red/c.png", "buses/d.jpg"}),
        (["path=**/*.png"], {"buses/red/c.png"}),
        (["path=top.jpg"], {"top.jpg"}),
        (["folder!=no*thing"], set(PATHS)),
        (["folder!=nothing"], set(PATHS)),
        (["folder=a[1]"], {"a[1]/e.jpg"}),  # as it is written, before it is a glob
        (["folder=a[!2]"], {"a1/f.jpg"}),
        ([f"folder={NFC}"], {f"{NFC}/{NFD}.jpg", f"{NFD}/{NFC}.jpg"}),
        ([f"folder={NFD}"], {f"{NFC}/{NFD}.jpg", f"{NFD}/{NFC}.jpg"}),
        ([f"path={NFD}/{NFD}.jpg"], {f"{NFC}/{NFD}.jpg", f"{NFD}/{NFC}.jpg"}),
        ([f"path={NFC}/*"], {f"{NFC}/{NFD}.jpg", f"{NFD}/{NFC}.jpg"}),
    ],
)
def test_conditions_mean_every_value_that_is_meant(
    store: MemoryStore, texts: list[str], wanted: set[str]
) -> None:
    assert found(store, *texts) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folder=horse", "no folder 'horse' (did you mean 'horses'?)"),
        ("folder=Horses", "no folder 'Horses' (did you mean 'horses'"),
        ("folder=red", "no folder 'red' (did you mean 'buses/red'"),
        ("folder=bu?", "no folder 'bu?'"),
        (
            "folder=zzz",
            "no folder 'zzz': there is '2024', '2024/horses', 'a1', 'a[1]', 'buses' and ",
        ),
        ("path=buses/d.jpeg", "no path 'buses/d.jpeg' (did you mean 'buses/d.jpg'?)"),
        ("path=d.jpg", "no path 'd.jpg' (did you mean 'buses/d.jpg'"),
        ("root=/photo", "no root '/photo' (did you mean '/photos'?)"),
        ("format=GIF", "no format 'GIF': there is 'JPEG'"),
        ("sha256=" + "0" * 63 + "1", "no sha256 '00"),
        ("folder=\x1b[2J", "no folder '\\x1b[2J'"),
    ],
)
def test_a_value_that_exists_nowhere_is_named_and_corrected(
    store: MemoryStore, text: str, said: str
) -> None:
    for others in ([], ["width>=1"]):
        with pytest.raises(QueryError) as refused:
            resolve(parse_where([*others, text]), store)
        assert str(refused.value).startswith(said)


def test_one_unknown_value_of_several_is_named(store: MemoryStore) -> None:
    with pytest.raises(QueryError, match="no folder 'horse'"):
        resolve(parse_where(["folder=buses", "folder=horse"]), store)


def test_an_empty_store_knows_no_values() -> None:
    where = parse_where(["folder=horse"])
    assert resolve(where, MemoryStore()) == where


def test_a_glob_that_matches_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "MOST_MATCHES", 3)
    store = store_of("a/1.jpg", "b/2.jpg", "c/3.jpg", "d/4.jpg")
    assert len(resolve(parse_where(["folder=[a-c]"]), store)) == 3
    with pytest.raises(QueryError, match=r"folder '\*' matches 4 values, more than 3"):
        resolve(parse_where(["folder=*"]), store)


letters = st.sampled_from("a\u00e9\u00fc\u00f1\uac00")


@given(st.lists(letters, min_size=1, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
def test_any_mixture_of_normal_forms_is_found(word: list[str], composed: list[bool]) -> None:
    def spelled(flags: list[bool]) -> str:
        forms = ["NFC" if flag else "NFD" for flag in flags]
        return "".join(map(unicodedata.normalize, forms, word))

    store = store_of(f"{spelled(composed)}/x.jpg")
    for flags in (composed, [True] * 5, [False] * 5):
        (condition,) = resolve(parse_where([f"folder={spelled(flags)}"]), store)
        assert condition.value == spelled(composed)


def test_conditions_on_numbers_and_dates_stay(store: MemoryStore) -> None:
    where = parse_where(["width>=99999", "taken_at=2024", "folder=buses"])
    assert resolve(where, store) == where
    assert resolve((), store) == ()


@pytest.mark.parametrize("stored", ["HEIC", "HEIF"])
def test_a_format_is_found_under_its_former_name(stored: str) -> None:
    store = MemoryStore()
    store.upsert([replace(record("a.heic"), format=stored)], axis_vector(1)[None])
    for text in ("format=HEIC", "format=heif"):
        assert store.count(None, resolve(parse_where([text]), store)) == 1
    with pytest.raises(QueryError, match="no format 'PNG': there is"):
        resolve(parse_where(["format=png"]), store)
