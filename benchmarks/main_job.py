"""The main job's speed and memory: cold query, the article's way beside it, scan, growth."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import article
from benchmarks.measure import Run, mosaics, ours, print_table, repeat, run

MIB = 2**20
IMAGES = 10_000
PHOTOS = sorted((Path(__file__).parent.parent / "examples" / "photos").rglob("*.jpg"))


def main(work: Path, images: int = IMAGES) -> None:
    """Run everything below `work`; pictures made there are kept for the next run."""
    small = mosaics(work / "small", images, 1, PHOTOS)
    home = work / "home"
    if not (home / "models" / "current.json").exists():
        folder = PHOTOS[0].parent.parent
        run(*ours("indexer"), "train", folder, "--epochs", "5", "--save-h5", "--k", "6", home=home)
    scanning(work, home)
    growth(work, home, small)
    cold_query(work, home, small)


def scanning(work: Path, home: Path) -> None:
    """`indexer scan` against decoding alone: same pool, same files, each a process of its own."""
    rows = []
    for name, tiles, count in (("128 x 128", 1, 8000), ("512 x 512", 4, 2000)):
        folder = work / f"scan-{tiles}"
        mosaics(folder, count, tiles, PHOTOS)
        decoding, scan = [], []
        for _ in range(5):
            alone = run(sys.executable, "-m", "benchmarks.decode_alone", folder, home)
            decoding.append(count / alone.seconds)
            fresh = fresh_home(work, home)
            scan.append(count / run(*ours("indexer"), "scan", folder, home=fresh).seconds)
        limit, whole = statistics.median(decoding), statistics.median(scan)
        rows.append((name, f"{limit:.0f}", f"{whole:.0f}", f"{whole / limit:.2f}", "0.50"))
    print_table(
        "Indexing, images/s: `indexer scan` against decoding alone (medians, whole processes)",
        ("pictures", "decoding alone", "scan", "ratio", "bar: at least"),
        rows,
    )


def fresh_home(work: Path, home: Path) -> Path:
    """A new home with the same models and nothing indexed."""
    fresh = work / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(home / "models", fresh / "models")
    return fresh


def growth(work: Path, home: Path, small: list[Path]) -> None:
    """Peak memory of a scan by the number of images."""
    peaks = {}
    for count in (len(small) // 10, len(small)):
        folder = work / f"growth-{count}"
        for path in small[:count]:
            link = folder / path.relative_to(work / "small")
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                os.link(path, link)
        fresh = fresh_home(work, home)
        peaks[count] = run(*ours("indexer"), "scan", folder, home=fresh).peak_bytes
    few, many = peaks
    each = (peaks[many] - peaks[few]) / (many - few)
    print_table(
        "Peak memory of `indexer scan`",
        (f"{few:,} images, MiB", f"{many:,} images, MiB", "KB an image", "bar: at most"),
        [(f"{peaks[few] / MIB:.0f}", f"{peaks[many] / MIB:.0f}", f"{each / 1000:.2f}", "5")],
    )


def cold_query(work: Path, home: Path, small: list[Path]) -> None:
    """A whole `searcher query` process, beside the same question asked the article's way."""
    indexed = work / "fresh"  # as `growth` left it: every small picture indexed, cleanly closed
    question = small[17]

    def ask(asked: Path) -> Run:
        return run(*ours("searcher"), "query", question, "--json", home=asked)

    clean = repeat(7, lambda: ask(indexed))
    answer = json.loads(clean.output)
    if answer["total"] != len(small):
        raise SystemExit(f"{answer['total']} images are indexed, {len(small)} were expected")
    dead, copy = killed_home(work, indexed), work / "killed-copy"

    def restore() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        # The store's files are sparse, and cp keeps them so.
        subprocess.run(["/bin/cp", "-a", "--sparse=always", dead, copy], check=True)

    killed = repeat(5, lambda: ask(copy), before=restore)
    vectors = stored_vectors(indexed, small)
    bundle = next((home / "models" / "encoders").iterdir())
    article.prepare(work / "article", bundle / "Conv_AE.h5", small, vectors, k=6)
    theirs = repeat(
        3, lambda: run(sys.executable, "-m", "benchmarks.article", work / "article", question)
    )
    rows = [
        _row("searcher, after a clean close", clean, theirs, "0.6 s, 150 MB"),
        _row("searcher, after a kill", killed, theirs, "1 s, 150 MB"),
        _row("the article's way", theirs, theirs, ""),
    ]
    print_table(
        f"Cold query, {len(small):,} images, no daemon (median, whole process)",
        ("", "seconds", "peak MB", "article's time / this", "bar: at most"),
        rows,
    )


def _row(name: str, one: Run, theirs: Run, bar: str) -> tuple[str, ...]:
    return (
        name,
        f"{one.seconds:.2f}",
        f"{one.peak_bytes / 1e6:.0f}",
        f"{theirs.seconds / one.seconds:.1f}",
        bar,
    )


_FILL_AND_DIE = """
import os, signal, sys
from pathlib import Path
import numpy as np
from shared.models import Models
from shared.settings import load_settings
from shared.store.hub import open_store
source, target = (load_settings({"home": Path(home)}) for home in sys.argv[1:])
encoder = Models(source.models).current().encoder
points = open_store(source, encoder).scroll(batch_size=64, with_vectors=True)
store = open_store(target, encoder, create=True, role="owner")
for batch in points:
    store.upsert([p.record for p in batch], np.stack([p.vector for p in batch]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_home(work: Path, home: Path) -> Path:
    """A copy of the home whose store was filled by a process that died by `kill -9`."""
    killed = work / "killed"
    shutil.rmtree(killed, ignore_errors=True)
    shutil.copytree(home, killed, ignore=shutil.ignore_patterns("store", "run"))
    done = subprocess.run([sys.executable, "-c", _FILL_AND_DIE, home, killed], check=False)
    if done.returncode != -signal.SIGKILL:
        raise SystemExit(f"filling {killed} ended with {done.returncode}")
    return killed


def stored_vectors(home: Path, small: list[Path]) -> object:
    """float32 (n, 512) of the indexed pictures, in their order."""
    import numpy as np

    from shared.models import Models
    from shared.settings import load_settings
    from shared.store.hub import open_store

    settings = load_settings({"home": home})
    store = open_store(settings, Models(settings.models).current().encoder)
    found = {
        point.record.path: point.vector
        for batch in store.scroll(with_vectors=True)
        for point in batch
    }
    store.close()
    root = small[0].parent.parent
    return np.stack([found[str(path.relative_to(root))] for path in small])
