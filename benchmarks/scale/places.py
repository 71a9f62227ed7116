"""Where generated tables stand in a document: between `<!-- NAME -->` and `<!-- end NAME -->`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(r"<!-- ([a-z-]+) -->\n(.*?)<!-- end \1 -->", re.DOTALL)


def replaced(document: str, texts: Mapping[str, str]) -> str:
    """The document with every text in its place.

    Raises ValueError if a text has no place, or a place no text, or more than one.
    """
    names = [name for name, _ in _PLACE.findall(document)]
    if sorted(names) != sorted(texts):
        raise ValueError(f"the document has places {sorted(names)}, the tables are {sorted(texts)}")
    return _PLACE.sub(
        lambda place: f"<!-- {place[1]} -->\n{texts[place[1]]}\n<!-- end {place[1]} -->", document
    )
