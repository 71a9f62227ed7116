"""Point ids are for ever: what is stored today must be found under the same id tomorrow."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.points import NAMESPACE, point_id


def test_known_ids() -> None:
    """Worked out apart with `sha1sum` over namespace, root, NUL and path; never change them."""
    assert str(NAMESPACE) == "5d7c1f0a-6d0e-5c8b-9a44-1f6e0c2b7d19"
    assert point_id("/photos", b"a/b.jpg") == "7f9cd555-891c-558d-a7fe-733db1492212"
    assert point_id("/photos", b"a/\xff.jpg") == "2105dde2-8268-5ec4-a486-86d1f431bb10"


@given(
    root=st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    path=st.text(st.characters(codec="utf-8", exclude_characters="\0")),
)
def test_utf8_names_have_the_ids_of_the_standard_library(root: str, path: str) -> None:
    assert point_id(root, path.encode()) == str(uuid.uuid5(NAMESPACE, f"{root}\0{path}"))


def test_ids_are_version_5() -> None:
    made = uuid.UUID(point_id("root", b"\xff\xfe\n"))
    assert (made.version, made.variant) == (5, uuid.RFC_4122)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", b"b/c"), ("a/b", b"c")),
        (("a", b"bc"), ("ab", b"c")),
        (("", b"a"), ("a", b"")),
        (("a", b"\xc3\xa9"), ("a", b"\xe9")),  # e acute in UTF-8 and in Latin-1
        (("a", b"e\xcc\x81"), ("a", b"\xc3\xa9")),  # the same letter, otherwise composed
        (("a", b"x.jpg"), ("a", b"X.jpg")),
    ],
)
def test_other_root_or_path_is_another_point(
    one: tuple[str, bytes], other: tuple[str, bytes]
) -> None:
    assert point_id(*one) != point_id(*other)
