"""`python -m benchmarks.near_duplicates HOME [--apart NAME] [--sheet FILE.png]`: tiers, measured.

HOME has the pictures indexed. 250 pictures of every root are altered and look for themselves in the
whole collection; then every picture asks for others, and whatever is called near is counted and
drawn. `imagehash` is measured beside it. The root named with --apart is reported apart.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.alterations import ALTERATIONS, FURTHER, Alteration
from benchmarks.measure import machine, print_table
from searcher.duplicates.sameness import Fingerprint
from searcher.duplicates.tier_rule import TierRule
from searcher.duplicates.tiers import Tiers
from searcher.opening import open_home
from searcher.pictures import located
from searcher.query.options import Request
from searcher.search import Searcher, embed_image
from shared.settings import load_settings
from shared.types import ImageRecord

DRAWN, SEED, RESULTS = 250, 0, 12
APART_SAMPLE = 2_000
HASH_BITS = (8, 10)
"""Distances at which people who use imagehash call two pictures the same."""

_HASHES = {"phash": imagehash.phash, "dhash": imagehash.dhash}


@dataclass(slots=True)
class Bench:
    """What is asked with: a searcher over everything, the tiers, and where the pictures lie."""

    searcher: Searcher
    tiers: Tiers
    roots: Mapping[str, Path]
    hashes: dict[str, list[NDArray[np.bool_]]] = field(
        default_factory=lambda: {n: [] for n in _HASHES}
    )

    def data(self, record: ImageRecord) -> bytes:
        """The bytes of an indexed file."""
        return Path(str(located(self.roots, record))).read_bytes()

    def ask(self, data: bytes) -> list[tuple[str, float, str | None]]:
        """Id, score and tier of the results of a search of everything."""
        decoded, vector, _ = embed_image(self.searcher.encoder, data)
        results = self.searcher.search(vector, Request(RESULTS, probes="all")).results
        tiers = self.tiers.of(Fingerprint.of(decoded), data, results)
        return [(one.id, one.score, tiers.get(one.id)) for one in results]

    def altered(self, records: Sequence[ImageRecord], alter: Alteration) -> list[str]:
        """A row of the table of alterations."""
        first = found = both = exact = 0
        bits: dict[str, list[int]] = {name: [] for name in _HASHES}
        for record in records:
            with Image.open(io.BytesIO(self.data(record))) as opened:
                image = opened.convert("RGB")
            data = alter(image)
            answer = self.ask(data)
            tiers = {point: tier for point, _, tier in answer}
            is_first, tier = answer[0][0] == record.id, tiers.get(record.id)
            first, exact = first + is_first, exact + (tier == "exact")
            found += tier in ("exact", "near")
            both += is_first and tier in ("exact", "near")
            for name, make in _HASHES.items():
                bits[name].append(make(image) - make(Image.open(io.BytesIO(data))))
        shares = [first, found, both, exact]
        hashes = [sum(b <= limit for b in bits[n]) for n in _HASHES for limit in HASH_BITS]
        return [f"{100 * count / len(records):.1f} %" for count in (*shares, *hashes)]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--apart", default="fashion_mnist_test")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--false-only", action="store_true")
    given = parser.parse_args()
    print(machine())
    home = open_home(load_settings({"home": given.home}))
    with home.searching() as searcher:
        rule = TierRule.calibrated(home.calibration)
        bench = Bench(searcher, Tiers(home.roots, rule), home.roots)
        print(rule)
        records = [image.record for batch in searcher.store.scroll() for image in batch]
        by_root = {root: [r for r in records if r.root == root] for root in home.roots}
        apart = {root for root in by_root if Path(root).name == given.apart}
        main_roots = [root for root in by_root if root not in apart]
        if not given.false_only:
            _alterations(bench, [_draw(by_root[root], DRAWN) for root in main_roots], "")
            for root in apart:
                _alterations(bench, [_draw(by_root[root], DRAWN)], f" of {Path(root).name}")
        asking = [r for root in main_roots for r in by_root[root]]
        pairs = _false_nears(bench, asking, " and ".join(Path(r).name for r in main_roots))
        if given.sheet:
            _sheet(bench, pairs, {record.id: record for record in records}).save(given.sheet)
        for root in apart:
            _false_nears(bench, _draw(by_root[root], APART_SAMPLE), Path(root).name)


def _draw(records: Sequence[ImageRecord], number: int) -> list[ImageRecord]:
    chosen = np.random.default_rng(SEED).permutation(len(records))[:number]
    return [records[int(row)] for row in chosen]


def _alterations(bench: Bench, drawn: Sequence[list[ImageRecord]], of: str) -> None:
    records = [record for some in drawn for record in some]
    header = ["alteration", "rank 1", "exact or near", "both", "exact"]
    header += [f"{name} <= {limit}" for name in _HASHES for limit in HASH_BITS]
    rows = [
        [name, *bench.altered(records, alter)] for name, alter in (ALTERATIONS | FURTHER).items()
    ]
    print_table(f"{len(records)} altered pictures{of} ask for themselves", header, rows)


def _false_nears(
    bench: Bench, records: Sequence[ImageRecord], name: str
) -> list[tuple[str, str, float, str]]:
    """Count and return the pairs of different pictures that are called exact or near."""
    pairs: list[tuple[str, str, float, str]] = []
    for record in records:
        for other, score, tier in bench.ask(bench.data(record)):
            if other != record.id and tier in ("exact", "near"):
                pairs.append((record.id, other, score, str(tier)))
    asked = len(records)
    rows = [
        [tier, len(some := {p[0] for p in pairs if p[3] == tier}), _share(len(some), asked)]
        for tier in ("exact", "near")
    ]
    rows += [
        [f"imagehash {hash_name} <= {limit}", count, _share(count, asked)]
        for hash_name in _HASHES
        for limit, count in _hash_nears(bench, records, hash_name).items()
    ]
    print_table(
        f"Of {asked} pictures of {name}, another is called", ["tier", "pictures", "share"], rows
    )
    return pairs


def _hash_nears(bench: Bench, records: Sequence[ImageRecord], name: str) -> dict[int, int]:
    """How many pictures have another one of them within each distance."""
    rows = []
    for record in records:
        with Image.open(io.BytesIO(bench.data(record))) as image:
            rows.append(np.packbits(_HASHES[name](image.convert("RGB")).hash.ravel()))
    bits = np.stack(rows).view(np.uint64)[:, 0]
    nearest = np.empty(len(bits), np.int64)
    for row, value in enumerate(bits):
        apart = np.bitwise_count(bits ^ value)
        apart[row] = 64
        nearest[row] = apart.min()
    return {limit: int((nearest <= limit).sum()) for limit in HASH_BITS}


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %"


def _sheet(
    bench: Bench, pairs: Sequence[tuple[str, str, float, str]], records: Mapping[str, ImageRecord]
) -> Image.Image:
    """Every pair once, side by side, for eyes to judge."""
    once = {frozenset(pair[:2]): pair for pair in pairs}
    cell, columns = 110, 6
    sheet = Image.new("RGB", (columns * 240, max(1, -(-len(once) // columns)) * 126), "white")
    for place, (first, second, score, tier) in enumerate(once.values()):
        y, x = (place // columns) * 126, (place % columns) * 240
        for side, point in enumerate((first, second)):
            with Image.open(io.BytesIO(bench.data(records[point]))) as opened:
                image = opened.convert("RGB")
            image.thumbnail((cell, cell))
            sheet.paste(image, (x + side * cell, y + 14))
        ImageDraw.Draw(sheet).text((x, y), f"{place} {tier} {score:.3f}", "black")
    return sheet


if __name__ == "__main__":
    main()
