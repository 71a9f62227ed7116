"""A certificate for tests, made by the `openssl` command."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, which is its own authority, and its key: new files in `folder`.

    Raises `FileNotFoundError` where there is no `openssl`.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    how = (
        "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    )
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", *how.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
