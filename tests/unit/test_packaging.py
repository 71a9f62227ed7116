"""What the base installation pulls in."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

HEAVY = {"tensorflow", "keras", "scikit-learn", "scipy", "matplotlib", "kneed"}
SERVER_ONLY = ("qdrant_client", "grpc", "httpx")
"""A second of start-up that only those with a Qdrant server pay."""
CONSTRAINTS = Path(__file__).parent.parent.parent / "constraints.txt"


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match.group()).lower() if match else ""


def _closure(package: str) -> set[str]:
    """Everything that installing a package without extras installs, itself included."""
    found: set[str] = set()
    pending = [package]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # for another platform
            continue
        pending += [_name(one) for one in needed if "extra ==" not in one]
    return found


def test_the_base_installation_holds_no_training_framework() -> None:
    base = _closure("lookalike")
    assert {"numpy", "pillow", "qdrant-edge-py", "ai-edge-litert", "typer", "watchdog"} <= base
    assert not base & HEAVY


def test_an_embedded_store_is_opened_without_the_client_of_the_server(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from shared.settings import Settings; "
        "from shared.store.hub import open_hub; "
        "open_hub(Settings(Path(sys.argv[1])), long_lived=True).names(); "
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "qdrant_edge" in loaded
    assert not loaded.intersection(SERVER_ONLY)


def test_constraints_are_exact_and_name_no_address() -> None:
    lines = CONSTRAINTS.read_text().splitlines()
    assert len(lines) > 30
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!]+", line), line
    pinned = {_name(line) for line in lines}
    assert {"tensorflow", "numpy", "pytest", "ruff"} <= pinned
