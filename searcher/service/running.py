"""Runs the service: one process that owns the store, or workers below a parent that does."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from searcher.service.listening import home_socket, listen
from searcher.service.log import Log
from searcher.service.metrics_folder import metrics_folder
from searcher.service.policy import Policy
from searcher.service.protocol import LimitedProtocol
from searcher.service.workers import Alone, Workers, stop_with_parent
from shared.roots import told_roots
from shared.settings import Settings
from shared.store.hub import open_hub

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _AppFactory:
    """Makes the app in the process that serves it."""

    settings: Settings
    policy: Policy
    log: Log = field(default_factory=Log)

    def __call__(self) -> Starlette:
        """The app."""
        if self.policy.workers > 1:  # in a process of its own
            self.log.begin()
            stop_with_parent()
        from searcher.service.app import create_app

        return create_app(self.settings, self.policy)


def serve(
    settings: Settings, policy: Policy, ready: Callable[[str], None], log: Log | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then let requests end. `ready` is told the address.

    Raises `SettingsError` if the address cannot be had or the setting `roots` is none,
    `ServiceError` if a worker cannot start.
    """
    told_roots(settings)  # later it would only make every answer a 503
    # uvicorn raises the signal again when it has stopped; the store is to be closed after that.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _pass_over)
    with listen(policy) as listener, home_socket(settings.run) as local:
        if local is None:
            _log.warning("another service listens for this home's commands")
        ready(_address(policy, listener))
        sockets = [listener, *([local] if local else [])]
        config = _config(_AppFactory(settings, policy, log or Log()))
        if policy.workers == 1:
            Alone(config).run(sockets)
            return
        with open_hub(settings, long_lived=True), metrics_folder(settings.run) as metrics:
            Workers(config, sockets, metrics).run()


def stop_when_closed(descriptor: int) -> None:
    """Stop this process as SIGTERM does when the other end of a pipe is closed: its parent died."""

    def wait() -> None:
        while os.read(descriptor, 1024):
            continue
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="until-closed", daemon=True).start()


def _config(factory: _AppFactory) -> uvicorn.Config:
    policy = factory.policy
    return uvicorn.Config(
        factory,
        factory=True,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        workers=policy.workers,
        timeout_keep_alive=int(policy.idle_seconds),
        timeout_graceful_shutdown=int(policy.stop_seconds),
    )


def _address(policy: Policy, listener: socket.socket) -> str:
    host = f"[{policy.host}]" if ":" in policy.host else policy.host
    return f"http://{host}:{listener.getsockname()[1]}"


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    """A signal that uvicorn has taken already."""
