"""The way of every request: noted, checked, let in, failed on purpose or carried out."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from typing import Any

from tests.qdrant.asking import VIOLATION, Asked, Refusal, Reply
from tests.qdrant.checking import Checks
from tests.qdrant.failing import Failures
from tests.qdrant.keys import Keys
from tests.qdrant.routes import Routes


class Answering:
    """Answers requests of both faces. Safe to call from several threads."""

    def __init__(self, routes: Routes, keys: Keys) -> None:
        self.failures = Failures()
        self.requests: list[tuple[str, str]] = []
        self._routes = routes
        self._keys = keys
        self._checks = Checks()
        self._stop = threading.Event()

    def answer(self, asked: Asked) -> Reply:
        """The reply to one request; never raises."""
        self.requests.append((asked.method, asked.path))
        try:
            return self._answer(asked)
        except Refusal as refusal:
            return refusal.reply
        except Exception as error:  # noqa: BLE001 - the stub's own mistake, not to be overlooked
            traceback.print_exc()
            self._violated(asked, [f"the stub itself failed: {error!r}"])
            return Reply(500, error=f"Service internal error: {error!r}")

    def broken(self, method: str, path: str, problem: str) -> Reply:
        """The reply to a request that cannot be read at all."""
        asked = Asked(method, path)
        self.requests.append((method, path))
        self._violated(asked, [problem])
        return Reply(400, error=f"Format error in JSON body: {problem}")

    def stop(self) -> None:
        """Let go of the requests that are held."""
        self._stop.set()

    def _answer(self, asked: Asked) -> Reply:
        found = self._checks.find(asked)
        if found is None:
            self._violated(asked, ["no such route in the document"])
            return Reply(404, error="", form="text")
        operation, parts = found
        self._keys.check(asked, operation.name)
        problems = list(operation.problems(asked))
        if problems:
            self._violated(asked, problems)
            return Reply(400, error=f"Format error in JSON body: {problems[0]}")
        failure = self.failures.next(asked)
        if failure is not None:
            self._stop.wait(failure.waits)
            if failure.reply is not None:
                return failure.reply
        reply = self._routes.carry_out(operation.name, parts, asked)
        if failure is not None and failure.how == "reset-after":
            return Reply(cut="reset")
        return reply

    def _violated(self, asked: Asked, problems: list[str]) -> None:
        told: dict[str, Any] = {
            "method": asked.method,
            "path": asked.path,
            "query": dict(asked.query),
            "problems": problems,
        }
        # To the log, not to memory: the process may be killed before anybody asks.
        sys.stderr.write(f"{VIOLATION}{json.dumps(told)}\n")
        sys.stderr.flush()
