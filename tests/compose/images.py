"""The images that a try needs: pulled, or made here where no registry can be reached."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

from tests.compose.engine import run, works
from tests.compose.saying import say

SUITE = "bookworm"
"""The Debian release whose Python is the one of the project, 3.11."""
PYTHON, NGINX, QDRANT = "lookalike-try-python", "lookalike-try-nginx", "lookalike-try-qdrant"
SEARCHER, INDEXER = "lookalike-try-searcher", "lookalike-try-indexer"


def made_images(folder: Path, *, trainer: bool) -> dict[str, str]:
    """Variables of the compose files that name the images to use. `folder`: a copy of the project,
    from which ours are built without network, out of a wheelhouse that is put there."""
    images = {"SEARCHER_IMAGE": SEARCHER, "INDEXER_IMAGE": INDEXER if trainer else SEARCHER}
    images["PYTHON_IMAGE"] = _given_or_pulled("PYTHON_IMAGE", folder) or PYTHON
    images["NGINX_IMAGE"] = _given_or_pulled("NGINX_IMAGE", folder) or NGINX
    debian = {images["PYTHON_IMAGE"]: PYTHON, images["NGINX_IMAGE"]: NGINX}
    if any(not works("docker", "image", "inspect", one) for one in debian):
        _debian(folder)
    _wheelhouse(folder, trainer=trainer)
    for target in ("searcher", *(["indexer"] if trainer else [])):
        _build(folder, images["PYTHON_IMAGE"], target)
    images["QDRANT_IMAGE"] = os.environ.get("QDRANT_IMAGE") or _stub(folder)
    return images


def _given_or_pulled(variable: str, folder: Path) -> str | None:
    """The image that the environment names, or the default of the compose file if it comes."""
    if given := os.environ.get(variable):
        return given
    text = (folder / "docker-compose.yml").read_text()
    default = text.split(f"${{{variable}:-", 1)[1].split("}", 1)[0]
    return default if works("docker", "pull", "--quiet", default) else None


def _debian(folder: Path) -> None:
    """Two images out of Debian's packages: one with Python, and one with nginx besides."""
    root = folder / "debian"
    if not shutil.which("debootstrap"):
        raise SystemExit(
            "no image can be pulled, and debootstrap is missing: install it, or name images that"
            " are here with PYTHON_IMAGE and NGINX_IMAGE"
        )
    say(f"no image can be pulled: making them from Debian {SUITE}")
    include = "--include=python3,python3-venv,ca-certificates"
    run("debootstrap", "--variant=minbase", include, SUITE, root)
    _import(root, PYTHON)
    resolver = root / "etc" / "resolv.conf"
    resolver.write_bytes(Path("/etc/resolv.conf").read_bytes())
    install = "apt-get update && apt-get install --yes --no-install-recommends nginx"
    run("chroot", root, "sh", "-c", f"DEBIAN_FRONTEND=noninteractive; {install}")
    _import(root, NGINX)
    shutil.rmtree(root)


def _import(root: Path, image: str) -> None:
    for unused in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / unused, ignore_errors=True)
        (root / unused / "partial").mkdir(parents=True)
    packed = root.with_suffix(".tar")
    run("tar", "-C", root, "-cf", packed, ".")
    run("docker", "import", packed, image)
    packed.unlink()


def _wheelhouse(folder: Path, *, trainer: bool) -> None:
    """Every wheel that the images need, and the one that the stub needs besides."""
    with (folder / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    needed += ["jsonschema-rs", *(project["project"]["optional-dependencies"]["train"] * trainer)]
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
        *("--python-version", "3.11", "--dest", folder / "wheelhouse"),
        *("--constraint", folder / "constraints.txt", *needed),
    )


def _build(folder: Path, base: str, target: str) -> None:
    say(f"building the {target}'s image")
    image = f"lookalike-try-{target}"
    arguments = ("--build-arg", f"PYTHON_IMAGE={base}", "--target", target, "--tag", image)
    run("docker", "build", "--network", "none", *arguments, folder)
    size = int(run("docker", "image", "inspect", "--format", "{{.Size}}", image))
    say(f"{image}: {size / 1e6:.0f} MB")


def _stub(folder: Path) -> str:
    """An image of the wire stub that is started as Qdrant's is."""
    here = Path(__file__).parent
    context = folder / "stub"
    context.mkdir()
    shutil.copytree(here.parent / "qdrant", context / "tests" / "qdrant")
    (context / "tests" / "__init__.py").touch()
    for name in ("qdrant.Dockerfile", "entrypoint.sh"):
        shutil.copy(here / name, context)
    for wheel in (folder / "wheelhouse").glob("jsonschema_rs-*.whl"):
        shutil.copy(wheel, context)
    arguments = ("--build-arg", f"SEARCHER_IMAGE={SEARCHER}", "--tag", QDRANT)
    file = ("--file", context / "qdrant.Dockerfile")
    run("docker", "build", "--network", "none", *arguments, *file, context)
    return QDRANT
