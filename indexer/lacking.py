"""Whether one collection holds all that another holds, by their ids alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared.store.protocol import VectorStore

_BATCH = 10_000


def lacks_none(old: VectorStore, new: VectorStore, pulse: Callable[[], None]) -> bool:
    """Whether every id of `old` is in `new`: both are walked through in the order of the ids, up to
    the first that is lacking. Counts tell most of the time, and cost least."""
    if new.count() < old.count():
        return False
    theirs = _ids(new, pulse)
    reached = next(theirs, None)
    for wanted in _ids(old, pulse):
        while reached is not None and reached < wanted:
            reached = next(theirs, None)
        if reached != wanted:
            return False
    return True


def _ids(store: VectorStore, pulse: Callable[[], None]) -> Iterator[str]:
    page, following = store.id_page(None, _BATCH)
    while page:
        pulse()
        yield from page
        if following is None:
            return
        page, following = store.id_page(following, _BATCH)
