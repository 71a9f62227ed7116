"""The nearest of 10,000 to 1,000,000 vectors: our embedded store against FAISS and NumPy.

In one process with the same centroids, through the owner's Unix socket, while new images arrive,
and as clusters grow.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version

from benchmarks.options import Options, run_with
from benchmarks.report import Report, publish
from benchmarks.searching.arriving import Phase, while_arriving
from benchmarks.searching.asked_through import through_socket
from benchmarks.searching.comparing import Plan, compare
from benchmarks.searching.figure import draw
from benchmarks.searching.filling import Filling
from benchmarks.searching.found import STEADY, Found, as_json, goals, tables
from benchmarks.searching.growth import by_cluster
from benchmarks.searching.points import Drawn, drawn
from benchmarks.searching.recall import NEAR

ELBOW = "auto"
OTHER_K, OTHER_UP_TO = 16, 100_000
"""Another k: smaller clusters than the elbow ever gives. To fill another million points would take
minutes, and its clusters would be as large as those of the elbow's k at 250,000."""
NEW = 30_000
"""Images that there are to arrive."""


@dataclass(frozen=True, slots=True)
class Course:
    """`plans`: how much is asked, by the sizes that are compared. `stops`: sizes at which growth is
    measured on the way. `arrivals`: the size at which images arrive, and the socket's goal."""

    plans: dict[int, Plan]
    stops: tuple[int, ...]
    arrivals: int
    phases: list[Phase]
    growth_queries: int
    rounds: int

    def up_to(self, most: int) -> Course:
        """Without collections of more vectors, but for the smallest."""
        plans = {size: plan for size, plan in self.plans.items() if size <= most}
        plans = plans or {size: self.plans[size] for size in [min(self.plans)]}
        stops = tuple(one for one in self.stops if one <= max(plans))
        arrivals = min(self.arrivals, max(plans))
        return replace(self, plans=plans, stops=stops, arrivals=arrivals)


WHOLE = Course(
    plans={
        10_000: Plan(200, 7, 50, 5),
        100_000: Plan(200, 5, 30, 3),
        1_000_000: Plan(100, 3, 15, 2),
    },
    stops=(6_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000),
    arrivals=100_000,
    phases=[
        Phase("quiet", 0, False, 15),
        Phase(STEADY, 2, True, 70),
        Phase("a scan goes on", 10, False, 25),
    ],
    growth_queries=120,
    rounds=5,
)
QUICK = Course(
    plans={2_000: Plan(20, 1, 5, 1), 6_000: Plan(20, 1, 5, 1)},
    stops=(500, 2_000, 6_000),
    arrivals=6_000,
    phases=[
        Phase("quiet", 0, False, 0.7),
        Phase(STEADY, 2, True, 1.5),
        Phase("a scan goes on", 10, False, 0.7),
    ],
    growth_queries=20,
    rounds=1,
)


def measure(options: Options) -> None:
    """Fill a store for each k and stop at each size to ask."""
    course = (QUICK if options.quick else WHOLE).up_to(options.most)
    points = drawn(options, max(course.plans) + NEW, 200, ks=(OTHER_K,))
    found = Found(course.arrivals)
    found.about = {"faiss": version("faiss-cpu"), "real": points.real, "sizes": {}}
    for k in points.clusterings:
        sizes = {size for size in course.plans if k == ELBOW or size <= OTHER_UP_TO}
        with filling(options, points, k, max(sizes)) as one:
            for size in sorted({*sizes, *(course.stops if k == ELBOW else ())}):
                one.fill(size)
                at(size, k, one, points, course, found)
            found.about["sizes"][k] = sorted(map(int, one.sizes()))
            found.about[f"seconds of filling, k = {k}"] = one.seconds
    _publish(found, options)


@contextmanager
def filling(options: Options, points: Drawn, k: str, most: int) -> Iterator[Filling]:
    """An empty home below the folder of work, gone afterwards."""
    home = options.home("search") / f"k-{k}"
    try:
        yield Filling(home, points.points[:most], points.clusterings[k])
    finally:
        shutil.rmtree(home, ignore_errors=True)


def at(size: int, k: str, one: Filling, points: Drawn, course: Course, found: Found) -> None:
    """All that is measured at a size."""
    if size in course.plans:
        plan = course.plans[size]
        found.rows += compare(one, size, k, points.queries, plan, flat=k == ELBOW)
    if k != ELBOW:
        return
    if size in course.stops:
        some = points.queries[: course.growth_queries]
        found.growth += by_cluster(one, size, some, course.rounds)
    if size in course.plans:
        found.through += through_socket(one, size, points.queries[:100], course.rounds)
    if size == course.arrivals:
        with one.aside() as aside:  # what arrives must not stay in the store that is filled on
            new = points.points[-NEW:]
            found.heard += while_arriving(aside, points.queries, new, course.phases)


def _publish(found: Found, options: Options) -> None:
    report = Report(
        name="search",
        title="Search",
        tables=list(tables(found)),
        goals=list(goals(found)),
        notes=_notes(found),
        measured=as_json(found),
    )
    publish(report, options, lambda figure: draw(figure, found))


def _notes(found: Found) -> tuple[str, ...]:
    sizes = found.about["sizes"]
    clusters = "; ".join(
        f"k = {len(some)} ({k}): {some[0]:,} to {some[-1]:,} of {sum(some):,} vectors"
        for k, some in sizes.items()
    )
    stops = len({one.size for one in found.growth})
    return (
        f"FAISS {found.about['faiss']}. Vectors of 512 dimensions: drawn with replacement from the"
        f" {found.about['real']:,} of the pictures with the encoder that ships, each moved by a"
        " random step of length 0.25 and made unit again; queries are made alike. `auto` is the k"
        f" that the indexer found at the elbow. Clusters at the largest sizes: {clusters}.",
        "FAISS gets our centroids as its quantizer and the same number of lists (nprobe) as the"
        " store gets clusters; to find the clusters is part of every time, and so are our checks"
        " and objects. Sides take turns, round by round; every query of every round counts, one"
        " round more comes first. One processor: process and all threads are bound to it. All:"
        " FAISS's threads share the lists of a query.",
        "Recall: of the ten nearest by an exact float32 scan of the clusters searched, and of"
        f" everything; cosines within {NEAR:g} count as equal, as in ANN-Benchmarks, for the store"
        " keeps Float16. MB: the size of the index; of the store, what the process grows by, of"
        f" which {_own_memory(found)} are its own and the rest mapped files that the system takes"
        " back when it needs memory.",
        "Through the socket: the owner has the store open as `indexer watch` has it, and asks"
        " inside in turns with a client process.",
        "While images arrive: queries at random moments, 50 a second through the socket and 20 in"
        " the owner, each counted from its moment even if the one before was still waiting."
        " Arriving images are batches of 64 after each of which the owner tidies, as the daemon"
        " does whenever it has nothing left to do; in the middle of a scan, batches without that.",
        f"Growth: every cluster of the elbow's k at {stops} sizes of one collection being filled.",
    )


def _own_memory(found: Found) -> str:
    return f"at most {max(row.own_memory for row in found.ours) / 1e6:.1f} MB"


if __name__ == "__main__":
    run_with(__doc__, measure)
