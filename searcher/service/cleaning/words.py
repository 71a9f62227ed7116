"""Text and XMP that surely tell no place, and the error for files that are not as they should be.

What is not surely harmless counts as telling one: a lost description costs less than an address.
"""

from __future__ import annotations

import re

_PLACES = re.compile(
    rb"gps|geo:|geotag|georss|locat|latitud|longitud|altitud|coordinat|city|countr|state|provinc"
    rb"|address|street|place|venue|landmark"
    # A packet that defines entities could spell these otherwise, and whole pictures hide in XMP.
    rb"|<!|base64|gimg|gimage|gdepth|gcontainer|[a-z0-9+/]{72}",
    re.IGNORECASE,
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


class Odd(Exception):
    """A file is built in a way that leaves a doubt where a place may be told."""


def harmless(text: bytes) -> bool:
    """Whether it is text in UTF-8 that names no place, as a field of XMP, IPTC or EXIF does.

    What people wrote in their own words is not understood: "at home in Paris" passes.
    """
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return not (_CONTROLS.search(text) or _PLACES.search(text))
