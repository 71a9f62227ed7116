"""What commands load to start: counted, never timed (`benchmarks/cold_query.py` does that).

Whatever is new here is loaded by every call of its command. Import it where it is needed, or name
it below and say in the commit why every start has to wait for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.models import Models
from tests.daemons import Watch
from tests.homes import make_home
from tests.services import Service

OURS = {"indexer", "searcher", "shared"}
TYPER = {"annotated_doc", "shellingham", "typer"}
FITTING = {
    "sklearn",
    "scipy",
    "kneed",
    "joblib",
    "threadpoolctl",
    "tensorflow",
    "keras",
    "matplotlib",
}
"""What only the process that fits may load; `matplotlib` draws how it went."""
SEEING = TYPER | {"ai_edge_litert", "numpy", "PIL"}
"""What it takes to make a vector of a picture, and what the command line takes."""

TELL = """
import sys
from importlib import import_module
command = sys.argv[1]
sys.argv[:2] = [command]
if "watch" in sys.argv:
    import os, pathlib, signal, threading, time
    report = pathlib.Path(sys.argv[-1]) / "run" / "report.json"
    def stop_when_watching():
        while not (report.exists() and '"watching"' in report.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=stop_when_watching, daemon=True).start()
try:
    import_module(command + ".cli").main()
except SystemExit as end:
    if end.code:
        raise
sys.stderr.write("loaded " + " ".join(sys.modules))
"""


def loaded(*command: str | Path) -> set[str]:
    """Every module that a command has loaded when it ends; `watch` is stopped once it watches."""
    done = subprocess.run(
        [sys.executable, "-c", TELL, *map(str, command)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(done.stderr.rpartition("loaded ")[2].split())


def packages(modules: set[str]) -> set[str]:
    """Those of others; what an installation puts into every Python is passed over."""
    tops = {name.partition(".")[0] for name in modules} - OURS - sys.stdlib_module_names
    return {top for top in tops if not top.startswith("_") and top != "sitecustomize"}


@pytest.fixture
def indexed(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Path:
    """A home whose eighteen pictures are in the store."""
    make_home(tmp_path / "indexed", photos, tiny_tflite, calibrated=True)
    return tmp_path / "indexed"


@pytest.mark.parametrize(("command", "most"), [("searcher", 185), ("indexer", 195)])
def test_help(command: str, most: int) -> None:
    modules = loaded(command, "--help")
    assert packages(modules) == TYPER
    assert len(modules) <= most


def test_a_cold_query(indexed: Path, photos: Path) -> None:
    modules = loaded("searcher", "query", "--json", photos / "red" / "0.jpg", "--home", indexed)
    assert packages(modules) == SEEING | {"qdrant_edge"}
    assert len(modules) <= 400
    others = {f"searcher.cli.{name}" for name in ("eval", "clusters", "groups", "serve")}
    assert not modules & others
    assert "numpy.ma" not in modules  # as much as a fiftieth of the whole


def test_a_query_to_a_daemon(watch: Watch, photos: Path) -> None:
    modules = loaded("searcher", "query", "--json", photos / "red" / "0.jpg", "--home", watch.home)
    assert packages(modules) == SEEING
    assert len(modules) <= 400


def test_status(watch: Watch) -> None:
    modules = loaded("indexer", "status", "--home", watch.home)
    assert packages(modules) == TYPER | {"numpy"}
    assert len(modules) <= 325


def test_health(watch: Watch) -> None:
    modules = loaded("indexer", "health", "--home", watch.home)  # asked every few seconds
    assert packages(modules) == TYPER
    assert len(modules) <= 190


def test_a_daemon_that_indexes(home: Path, photos: Path) -> None:
    modules = loaded("indexer", "watch", photos, "--home", home)
    # Pictures are decoded by other processes.
    assert packages(modules) == SEEING - {"PIL"} | {"qdrant_edge", "watchdog"}
    assert len(modules) <= 435


@pytest.mark.parametrize("command", ["watch", "scan"])
def test_a_first_model_is_fitted_elsewhere(command: str, photos: Path, tmp_path: Path) -> None:
    home = tmp_path / "new"
    modules = loaded("indexer", command, photos, "--home", home)
    assert not packages(modules) & FITTING
    assert Models(home / "models").current().generation == "g1"


def test_new_clusters_are_fitted_elsewhere(indexed: Path) -> None:
    modules = loaded("indexer", "recluster", "--k", "2", "--home", indexed)
    assert not packages(modules) & FITTING
    assert Models(indexed / "models").current().generation == "g2"


def test_a_service_fits_nothing(indexed: Path, photos: Path) -> None:
    with Service(indexed) as service:
        assert service.send("/search", [photos / "red" / "0.jpg"]).status == 200
        maps = Path(f"/proc/{service.process.pid}/maps")
        if not maps.exists():
            pytest.skip("this system has no /proc to look into a process")
        mapped = maps.read_text()
    assert "litert" in mapped
    assert not {name for name in FITTING if f"/{name}/" in mapped}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads by /proc")
def test_numpy_for_one_question_starts_no_threads() -> None:
    script = (
        "import os; from searcher.numpy_alone import load_numpy; before = dict(os.environ); "
        "load_numpy(); import numpy; numpy.ones((256, 256)) @ numpy.ones((256, 256)); "
        "print(len(os.listdir('/proc/self/task')), dict(os.environ) == before)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "True"]
