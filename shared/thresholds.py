"""Shares that decide where nothing else is said. Plain numbers, so that whoever only asks a service
loads no NumPy for them."""

from __future__ import annotations

WANTED_RECALL = 0.95
"""What `--probes auto` reaches unless told otherwise."""

NOTHING_SHARE = 0.01
"""A best answer less alike than that of all but this share of the collection's own pictures means
that nothing looks like the query."""
