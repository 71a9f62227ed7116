"""The options of `python -m tests.qdrant`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; keys come from a Qdrant server's own variables where no option gives them."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.qdrant", description="A stand-in for Qdrant."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333)
    parser.add_argument("--grpc-port", type=int, help="no gRPC without it")
    parser.add_argument("--storage", type=Path, help="folder to keep points in; else in memory")
    parser.add_argument("--api-key", default=os.environ.get("QDRANT__SERVICE__API_KEY"))
    parser.add_argument(
        "--read-only-key", default=os.environ.get("QDRANT__SERVICE__READ_ONLY_API_KEY")
    )
    parser.add_argument("--tls-cert", type=Path, help="certificate; with it, both faces have TLS")
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--version", default="1.18.3", help="the version that it says it is")
    parser.add_argument(
        "--acknowledge-only",
        action="store_true",
        help="look at nothing, keep nothing, always answer the same",
    )
    return parser.parse_args(arguments)
