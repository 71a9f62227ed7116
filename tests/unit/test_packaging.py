"""What an installation holds: its dependencies, its metadata, and what comes without extras."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

HERE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
OURS = ("shared", "indexer", "searcher")
SERVER_ONLY = ("qdrant_client", "grpc", "httpx")
"""A second of start-up that only those with a Qdrant server pay."""
CONSTRAINTS = HERE / "constraints.txt"

EXTRAS = {
    "tensorflow": "train",
    "keras": "train",
    "h5py": "train",
    "matplotlib": "figures",
    "opentsne": "map",
    "pillow-heif": "heic",
    "rawpy": "raw",
}
"""The distributions that the base installation lacks, and the extra that brings each."""

WITH_TENSORFLOW = {
    *("autoencoder", "autoencoder_recipe", "backbone", "build", "dataset"),
    *("descriptors", "efficientnet", "export", "fisher", "fit", "likeness", "metric", "mining"),
    *("plain", "projection", "reconstruction", "runtime", "statistics", "triplet"),
    *("two_views",),
}
"""The modules of `indexer.training` that fit encoders."""

_IMPORT_ALL = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for top in ("shared", "indexer", "searcher"):
    package = importlib.import_module(top)
    for module in pkgutil.walk_packages(package.__path__, top + "."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(module.name, error.name.partition(".")[0])
"""


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match.group()).lower() if match else ""


def _closure(requirements: list[str]) -> set[str]:
    """Everything that installing these without extras installs, themselves included."""
    found: set[str] = set()
    pending = [_name(one) for one in requirements]
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


def _imported() -> dict[str, set[str]]:
    """By module of others that our code imports, anywhere in it, the files that do."""
    found: dict[str, set[str]] = {}
    for path in (path for top in OURS for path in (HERE / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                names = [one.value for one in node.args if isinstance(one, ast.Constant)]
            for top in {name.partition(".")[0] for name in names}:
                if top not in OURS and top not in sys.stdlib_module_names:
                    found.setdefault(top, set()).add(str(path.relative_to(HERE)))
    return found


def test_every_import_is_declared() -> None:
    distributions = packages_distributions()
    base = {_name(one) for one in PROJECT["dependencies"]}
    imported = _imported()
    assert {"numpy", "sklearn", "threadpoolctl", "h5py", "openTSNE", "pillow_heif"} <= set(imported)
    for module, files in imported.items():
        names = {_name(one) for one in distributions[module]}
        extras = {EXTRAS[name] for name in names & set(EXTRAS)}
        optional = {_name(one) for name in extras for one in PROJECT["optional-dependencies"][name]}
        declared = names & (optional if extras else base)
        assert declared, f"{module}, imported by {sorted(files)}, is in no dependency"


def test_the_base_installation_fits_clusters_and_holds_no_extra() -> None:
    base = _closure(PROJECT["dependencies"])
    assert {"numpy", "pillow", "qdrant-edge-py", "ai-edge-litert", "typer", "watchdog"} <= base
    assert {"scikit-learn", "kneed", "threadpoolctl"} <= base
    assert not base & set(EXTRAS)


def test_without_extras_all_but_fitting_an_encoder_and_drawing_is_imported() -> None:
    absent = ("tensorflow", "keras", "h5py", "matplotlib", "openTSNE", "pillow_heif", "rawpy")
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, *absent], capture_output=True, text=True, check=True
    )
    lacking = dict(line.split() for line in done.stdout.splitlines())
    drawing = {name for name, library in lacking.items() if library == "matplotlib"}
    assert drawing == {"indexer.training.figures", "searcher.figures"}
    assert set(lacking) - drawing == {f"indexer.training.{name}" for name in WITH_TENSORFLOW}


def test_the_metadata_is_complete() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    for name in (*PROJECT["license-files"], PROJECT["readme"]):
        assert (HERE / name).is_file(), name
    assert set(PROJECT["scripts"]) == {"indexer", "searcher"}
    assert {"image search", "embeddings"} <= set(PROJECT["keywords"])
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_the_licence_is_apache_2_to_the_letter() -> None:
    text = (HERE / "LICENSE").read_bytes()
    wanted = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert hashlib.sha256(text).hexdigest() == wanted  # of apache.org/licenses/LICENSE-2.0.txt
    notice = (HERE / "NOTICE").read_text()
    for name in ("Clothing dataset", "TrashNet", "Fashion-MNIST", "examples/photos"):
        assert name in notice


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
