"""The service's log: one line an event on standard error."""

from __future__ import annotations

import logging
import sys

from shared.report import escape


class _Lines(logging.Formatter):
    """Names in a message may hold anything; a line stays a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escape(super().formatMessage(record))


def log_to_stderr() -> None:
    """Log on standard error from here on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
