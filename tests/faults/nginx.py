"""Debian's nginx with the repository's own configuration, and the name server that it asks."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.daemons import DEADLINE_SECONDS
from tests.services import free_port

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx"


def is_installed() -> bool:
    """Whether there is an nginx."""
    return program() is not None


def program() -> str | None:
    """The nginx of this machine, which lies where only root looks."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def balancer(folder: Path, addresses: Sequence[str], port: int) -> Iterator[int]:
    """nginx in front of what listens at each of the addresses, all on one port; its own port.

    Only addresses, ports and folders of the configuration are replaced. Its log is `access.log`
    in `folder`, and `error.log`.
    """
    with names(addresses) as resolver:
        own = free_port()
        configuration = rendered(folder, resolver, port, own)
        with (folder / "error.log").open("wb") as log:
            command = [program() or "nginx", "-e", "stderr", "-c", configuration]
            process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
        try:
            wait_for_port(process, own, folder / "error.log")
            yield own
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def rendered(folder: Path, resolver: int, port: int, own: int) -> Path:
    """The configuration with the ports of this test, in `folder`."""
    shutil.copytree(CONFIGURATION, folder / "nginx")
    changes = {
        "searchers.conf": {
            "resolver 127.0.0.11 valid": f"resolver 127.0.0.1:{resolver} valid",
            "default searcher:8765": f"default searcher:{port}",
        },
        "nginx.conf": {
            "listen 8080": f"listen 127.0.0.1:{own}",
            "pid /tmp/": f"{'user root; ' if os.geteuid() == 0 else ''}pid {folder}/",
            "_path /tmp/": f"_path {folder}/",
            "access_log /dev/stdout line": f"access_log {folder}/access.log line",
        },
    }
    for name, replacements in changes.items():
        file = folder / "nginx" / name
        text = file.read_text()
        for old, new in replacements.items():
            assert old in text, f"{name} has no {old!r} any more"
            text = text.replace(old, new)
        file.write_text(text)
    return folder / "nginx" / "nginx.conf"


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"nginx does not listen: {log.read_text()}")
        time.sleep(0.02)


@contextlib.contextmanager
def names(addresses: Sequence[str]) -> Iterator[int]:
    """A name server that gives these addresses for any name, as Docker's does; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_answer_all, args=(server, addresses), daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", server.getsockname())
            thread.join()


def _answer_all(server: socket.socket, addresses: Sequence[str]) -> None:
    while True:
        query, sender = server.recvfrom(512)
        if not query:  # the end
            return
        server.sendto(dns_answer(query, addresses), sender)


def dns_answer(query: bytes, addresses: Sequence[str]) -> bytes:
    """The answer to a query of one name, RFC 1035: an A record for each address."""
    question = query[12 : query.index(b"\0", 12) + 5]
    head = query[:2] + struct.pack(">5H", 0x8180, 1, len(addresses), 0, 0)
    records = [
        struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(one) for one in addresses
    ]
    return head + question + b"".join(records)
