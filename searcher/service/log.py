"""The service's log, in which every line tells which request it is about."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass

from shared.log import FIELDS, LogFormat, stderr_handler

current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
"""The id of the request that is being answered."""


@dataclass(frozen=True, slots=True)
class Log:
    """How a process of the service logs; it can be handed to another one.

    `debug`: with what is of no interest while all is well, the probes of a monitoring for one.
    """

    form: LogFormat = LogFormat.text
    debug: bool = False

    def begin(self) -> None:
        """Log on standard error from here on."""
        handler = stderr_handler(self.form)
        handler.addFilter(_names_request)
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        logging.getLogger("searcher").setLevel(logging.DEBUG if self.debug else logging.INFO)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def _names_request(record: logging.LogRecord) -> bool:
    request = current_request.get()
    if request is not None and not hasattr(record, FIELDS):
        record.msg, record.args = f"{record.getMessage()} [{request}]", ()
        setattr(record, FIELDS, {"request": request})
    return True
