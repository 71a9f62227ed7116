"""Conditions as people mean them, made conditions on the values that a store holds.

A folder, root or path may be spelled in another Unicode normalisation than on disk, folders and
paths may be globs, and a value that exists nowhere is a mistake that is named.
"""

from __future__ import annotations

import difflib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from shared.conditions import FIELDS, Condition
from shared.errors import QueryError
from shared.formats import stored_names
from shared.globs import is_glob, matcher
from shared.report import escape
from shared.store.protocol import Indexed, Probe, VectorStore
from shared.types import EMBEDDING_SIZE

MOST_MATCHES = 2_000
"""Values that one glob may match: each of them is sent to the store."""

MOST_READ = 50_000
"""Points whose payloads are read to find the paths of a glob or of a slip: 1.6 s."""

_SHOWN = 5
_FACETS: Mapping[str, Indexed] = {"folder": "folders", "root": "root"}
"""Fields whose values the store counts quickly; those of others are read point by point."""
_SPELLED = ("folder", "root", "path")
"""Fields that are names on disk."""


def resolve(where: Sequence[Condition], store: VectorStore) -> tuple[Condition, ...]:
    """Return conditions with the values that the store holds for those that are meant.

    Globs of `folder` and `path` become every value that they match, names every value that is the
    same in Unicode normalisation form C. Raises `QueryError` for a value of ``=`` that exists
    nowhere and for a glob that matches more than `MOST_MATCHES` values.
    """
    if not where or not store.count():
        return tuple(where)
    values = _Values(store)
    found = [one for condition in where for one in _meant(condition, values)]
    return tuple(dict.fromkeys(found))


def _meant(condition: Condition, values: _Values) -> list[Condition]:
    name, value = condition.field, str(condition.value)
    if FIELDS[name].kind != "word" or values.has(condition):
        return [condition]
    known = values.paths_of(value) if name == "path" else values.of(name)
    matches = _matches(value, known) if name in _SPELLED else []
    if len(matches) > MOST_MATCHES:
        raise QueryError(
            f"{name} {_quoted(value)} matches {len(matches):,} values, more than "
            f"{MOST_MATCHES:,}: name fewer of them"
        )
    if not matches and condition.op == "=":
        raise QueryError(_unknown(name, value, known))
    return [replace(condition, value=one) for one in matches] or [condition]


class _Values:
    """The values of a store's fields, each read once and only where they are needed."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._known: dict[str, list[str]] = {}

    def has(self, condition: Condition) -> bool:
        """Whether a point has exactly this value, which then needs no other reading."""
        name, value = condition.field, str(condition.value)
        if name in _SPELLED and not value.isascii():
            return False  # other spellings may exist as well
        if name in self._known:
            return value in self._known[name]
        # A format may be stored under a former name as well.
        names = stored_names(value) if name == "format" else (value,)
        where = [Condition(name, "=", one) for one in names]
        folder = value.rpartition("/")[0]
        if name == "path" and folder:
            where.append(Condition("folder", "=", folder))  # the index finds the few in it
        return self._store.count(None, where) > 0

    @property
    def is_large(self) -> bool:
        """Whether reading every point would take too long."""
        return self._store.count() > MOST_READ

    def of(self, name: str) -> list[str]:
        """All values of a field, in order; none of a field that would take too long to read."""
        if name not in self._known:
            if name in _FACETS:
                self._known[name] = list(self._store.facet(_FACETS[name]))
            elif self.is_large:
                return []
            else:
                records = (image.record for batch in self._store.scroll() for image in batch)
                self._known[name] = sorted({str(getattr(record, name)) for record in records})
        return self._known[name]

    def paths_of(self, value: str) -> list[str]:
        """The paths that a path or glob may mean, in order: those in its folder, else all."""
        folder = re.split(r"[*?\[]", value, maxsplit=1)[0].rpartition("/")[0]
        folders = _matches(folder, self.of("folder")) if folder else []
        where = tuple(Condition("folder", "=", one) for one in folders)
        within = self._store.count(None, where)
        if within > MOST_READ and is_glob(value):
            raise QueryError(
                f"path {_quoted(value)} would be compared with {within:,} paths, more than "
                f"{MOST_READ:,}: begin it with a folder of fewer images"
            )
        if not folders or within > MOST_READ:
            return self.of("path")
        # A search that the filter leaves few points, all of which are wanted: any vector will do.
        anything = np.eye(1, EMBEDDING_SIZE, dtype=np.float32)[0]
        (found,) = self._store.search([Probe(anything, None, within, where)])
        return sorted({one.record.path for one in found if one.record})


def _matches(value: str, known: Iterable[str]) -> list[str]:
    """The known values that are the same after normalisation, else those that the glob matches."""
    composed = _composed(value)
    same = [one for one in known if _composed(one) == composed]
    if same or not is_glob(value):
        return same
    matches = matcher(composed)
    return [one for one in known if matches(_composed(one))]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _unknown(name: str, value: str, known: Sequence[str]) -> str:
    """``no folder 'horse' (did you mean 'horses'?)``."""
    said = f"no {name} {_quoted(value)}"
    if name == "sha256":
        return f"{said}: no indexed image has it"
    if close := _close(value, known):
        return f"{said} (did you mean {' or '.join(map(_quoted, close))}?)"
    named = ", ".join(map(_quoted, known[:_SHOWN]))
    more = len(known) - _SHOWN
    rest = f" and {more:,} more" if more > 0 else ""
    return f"{said}: there is {named}{rest}" if known else f"{said}: no indexed image has it"


_COMPARED = 2_000


def _close(value: str, known: Sequence[str]) -> list[str]:
    """Up to two values that may be meant: in other case, under another folder, or misspelled."""
    folded = _composed(value).casefold()
    whole = {_composed(one).casefold(): one for one in known}
    by_name = {one.rpartition("/")[2]: spelled for one, spelled in whole.items()}
    head, _, name = folded.rpartition("/")
    beside = [one for one in whole if one.rpartition("/")[0] == head]
    found = [
        *filter(None, (whole.get(folded), by_name.get(name))),
        *(whole[one] for one in _misspelled(folded, beside)),
        *(by_name[one] for one in _misspelled(name, by_name)),
    ]
    return [*dict.fromkeys(found)][:2]


def _misspelled(text: str, known: Iterable[str]) -> list[str]:
    some = itertools.islice(known, _COMPARED)
    return difflib.get_close_matches(text, list(some), n=2, cutoff=0.7)


def _quoted(text: str) -> str:
    return f"'{escape(text)}'"
