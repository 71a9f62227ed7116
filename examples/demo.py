"""The whole of Lookalike in one run: watch a folder, drop pictures in, search with one of them.

Run by `make demo`. Everything it makes lies in `demo/` of the current folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DEMO = Path("demo")
HOME, PHOTOS = DEMO / "home", DEMO / "photos"
SHEET, PAGE = DEMO / "sheet.png", DEMO / "page.html"
DEADLINE_SECONDS = 60.0


def main() -> int:
    """Exit code 0 only if the dropped pictures are found again by a query with one of them."""
    shutil.rmtree(DEMO, ignore_errors=True)
    shutil.copytree(HERE / "photos", PHOTOS)
    step("Watch the folder, with the encoder that ships and clusters of these photographs")
    print("$ indexer watch", PHOTOS, flush=True)
    with (DEMO / "watch.log").open("wb") as log:
        daemon = subprocess.Popen(command("indexer", "watch", PHOTOS), stderr=log)
    try:
        watched = wait_for(daemon, images=len(list(PHOTOS.rglob("*.jpg"))))
        step("Drop further pictures in")
        dropped = [drop(path) for path in sorted((HERE / "dropped").iterdir())]
        wait_for(daemon, images=watched + len(dropped))
        run("indexer", "status")
        step("Search with one of the dropped pictures")
        query = PHOTOS / dropped[0]
        run("searcher", "query", query, "--sheet", SHEET, "--html", PAGE)
        missing = [name for name in dropped if not finds_itself(PHOTOS / name)]
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(DEADLINE_SECONDS)
    return report(missing)


def drop(path: Path) -> str:
    """Copy a picture into the watched folder; its name there."""
    name = f"dropped-{path.name}"
    shutil.copyfile(path, PHOTOS / name)
    print(f"  {name}", flush=True)
    return name


def wait_for(daemon: subprocess.Popen[bytes], images: int) -> int:
    """Ask `indexer status` until it shows that many images; raises if it never does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        found = status()
        if found.get("images") == images and found["backlog"] == 0:
            return images
        time.sleep(0.2)
    sys.exit(f"the daemon did not index {images} images; its log is {DEMO / 'watch.log'}")


def status() -> dict[str, Any]:
    """What `indexer status` says, empty as long as the daemon has not made its home."""
    told = subprocess.run(
        command("indexer", "status", "--json"), check=False, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(told.stdout) if told.returncode == 0 else {}
    return found


def finds_itself(query: Path) -> bool:
    """Whether an indexed picture that is the query is its own first result, where it is kept."""
    first = output("searcher", "query", query, "--self", "--paths", "-n", "1").strip()
    return Path(first) == query.resolve()


def report(missing: list[str]) -> int:
    """Say where to look; 1 if something was not found."""
    step("Look at")
    figures = sorted((HOME / "models").glob("**/figures"))
    for path in (SHEET, PAGE, *figures):
        print(f"  {path}")
    step("Go on in the browser")
    print("$", os.path.relpath(command("searcher")[0]), "serve --home", HOME)
    for name in missing:
        print(f"not found again: {name}", file=sys.stderr)
    return 1 if missing else 0


def step(text: str) -> None:
    """A heading."""
    print(f"\n== {text}", flush=True)


def run(name: str, *arguments: str | Path) -> None:
    """Show a command and run it."""
    print("$", name, *arguments, flush=True)
    subprocess.run(command(name, *arguments), check=True)


def output(name: str, *arguments: str | Path) -> str:
    """What a command prints on standard output."""
    return subprocess.run(
        command(name, *arguments), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def command(name: str, *arguments: str | Path) -> list[str]:
    """A command of the environment that runs this script, with the demo's home."""
    return [os.path.join(os.path.dirname(sys.executable), name), *map(str, arguments)]


if __name__ == "__main__":
    os.environ["LOOKALIKE_HOME"] = str(HOME)
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
