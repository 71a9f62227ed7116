"""Clients that ask all the time, and notice every answer that is not the one it was before."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.daemons import DEADLINE_SECONDS
from tests.services import BOUNDARY, Reply, form

CLIENTS = 4
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(frozen=True)
class Question:
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Clients:
    """Threads that ask the same questions all the time, and compare each answer with the first.

    `essence`: what of an answer must be the same.
    """

    def __init__(
        self,
        port: int,
        questions: list[Question],
        essence: Callable[[Reply], object] | None = None,
    ) -> None:
        self.wrong: list[str] = []
        self._questions = questions
        self._essence = essence or whole
        self._wanted = [self._essence(through(port, one)) for one in questions]
        self._port = port
        self._answers = 0
        self._came = threading.Condition()
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(place,), daemon=True)
            for place in range(CLIENTS)
        ]

    def __enter__(self) -> Clients:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for one in self._threads:
            one.join(DEADLINE_SECONDS)

    def wait(self, answers: int) -> None:
        """Until so many more have come, right or wrong."""
        with self._came:
            until = self._answers + answers
            assert self._came.wait_for(lambda: self._answers >= until, DEADLINE_SECONDS)

    def forget(self) -> list[str]:
        """The wrong answers so far, which are expected ones."""
        with self._came:
            found, self.wrong = self.wrong, []
            return found

    def _run(self, place: int) -> None:
        connection = link("127.0.0.1", self._port)
        while not self._ending.is_set():
            place = (place + 1) % len(self._questions)
            self._note(self._problem(connection, place))
        connection.close()

    def _problem(self, connection: http.client.HTTPConnection, place: int) -> str | None:
        question = self._questions[place]
        try:
            found = ask(connection, question)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"{question.method} {question.path}: {error!r}"
        if self._essence(found) != self._wanted[place]:
            return f"{question.method} {question.path}: {found.status} {found.data!r}"
        return None

    def _note(self, problem: str | None) -> None:
        with self._came:
            self._answers += 1
            if problem:
                self.wrong.append(problem)
            self._came.notify_all()


def questions(port: int, headers: Mapping[str, str] | None = None) -> list[Question]:
    """What clients ask for: with pictures, with points, for pictures and for what there is."""
    key = dict(headers or {})
    listed = through(port, Question("GET", "/images?limit=5", headers=key))
    images = listed.json["images"]
    picture = through(port, Question("GET", images[0]["links"]["image"], headers=key)).data
    body, _ = form([picture], n="5")
    ids = [{"ids": [one["id"]], "n": 5, "probes": 3} for one in images]
    return [
        Question("POST", "/search", body, FORM | key),
        *(Question("POST", "/search", json.dumps(one).encode(), JSON | key) for one in ids),
        Question("POST", "/search/batch", json.dumps({"queries": ids}).encode(), JSON | key),
        Question("GET", images[1]["links"]["image"], headers=key),
        Question("GET", "/clusters", headers=key),
    ]


def through(port: int, question: Question) -> Reply:
    """The answer of whoever the balancer asks."""
    with contextlib.closing(link("127.0.0.1", port)) as connection:
        return ask(connection, question)


def link(address: str, port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(address, port, timeout=DEADLINE_SECONDS)


def ask(connection: http.client.HTTPConnection, question: Question) -> Reply:
    connection.request(question.method, question.path, question.body, dict(question.headers))
    answer = connection.getresponse()
    names = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, names, answer.read())


def whole(reply: Reply) -> tuple[int, object]:
    """Status and content, without the milliseconds that it took."""
    if reply.headers.get("content-type") != "application/json":
        return reply.status, reply.data
    return reply.status, timeless(reply.json)


def timeless(value: object) -> object:
    if isinstance(value, dict):
        return {name: timeless(one) for name, one in value.items() if name != "took_ms"}
    return [timeless(one) for one in value] if isinstance(value, list) else value
