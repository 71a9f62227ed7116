"""The version that answers bear, so that a client of another one asks nobody else by mistake."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("lookalike")
