"""Log lines on standard error, one an event, for people or for machines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from shared.report import escape

FIELDS = "fields"
"""Attribute of a log record: what a line of JSON tells besides, by name. Set it with `extra`."""


class LogFormat(StrEnum):
    """How log lines look."""

    text = "text"
    json = "json"


def stderr_handler(form: LogFormat) -> logging.Handler:
    """What writes log lines of this form on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    if form is LogFormat.json:
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(TextLines("%(asctime)s %(levelname)s %(message)s"))
    return handler


class TextLines(logging.Formatter):
    """Names in a message may hold anything; a line stays a line, and a traceback is indented, so
    that none of its lines can pass for another event."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, without a traceback."""
        return _printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """The traceback."""
        lines = super().formatException(ei).split("\n")
        return "\n".join("    " + _printable(line) for line in lines)


class JsonLines(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, message, the record's `FIELDS`,
    and error if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields: Mapping[str, Any] = getattr(record, FIELDS, {})
        value = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            value["error"] = self.formatException(record.exc_info)
        return json.dumps(value)


def _printable(line: str) -> str:
    return line if line.isprintable() else escape(line)
