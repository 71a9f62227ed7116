"""A cold query, whole process: without a daemon, with one, with a service, and the article's way.

The clock runs from before the process is started until it has ended.
"""

from __future__ import annotations

from benchmarks.cold.homes import filled_homes, network
from benchmarks.cold.insides import import_costs, steps
from benchmarks.cold.shown import Found, draw, tables
from benchmarks.cold.ways import ARTICLE, CLOSED, asked
from benchmarks.options import Options, run_with
from benchmarks.report import Goal, Report, publish

MOST_SECONDS, MOST_MEGABYTES, LEAST_TIMES = 0.45, 140, 5
NOTES = (
    "Time and peak resident memory are the operating system's, medians of 9 runs (the article's: of"
    " 5) that take turns after one of each that does not count: the files are in the page cache."
    " Modules are compiled.",
    "At most 500 real pictures were indexed by `indexer scan` with the encoder that ships. The"
    " others have vectors drawn from theirs and moved by a step of length 0.25, a link to one of"
    " them as their file, and their row in the journal: a daemon finds nothing to do.",
    "Owner killed: in a copy of the home, by `kill -9`, after it had written 1,984 points anew that"
    " were not flushed. Every run gets a copy of its own, for a query mends the store.",
    "A daemon: `indexer watch`, asked through the store's socket. A service: `searcher serve`,"
    " asked through its own. What they take themselves is not counted. All four give one answer.",
    "The article's way: Keras loads `Conv_AE.h5`, our default autoencoder untrained, scikit-learn"
    " names the cluster, NumPy compares with a pickled dict of as many vectors.",
    "The steps are timed inside one process; imports are counted apart wherever they happen. To"
    " open the index is to load it. The costs of imports are those of `-X importtime`, least of all"
    " runs for each module.",
)


def measure(options: Options) -> None:
    """Make the homes, ask, publish."""
    sizes, goal, rounds = ((200, 500), 500, 1) if options.quick else (SIZES, GOAL, ROUNDS)
    work = options.home("cold_query")
    work.mkdir(parents=True, exist_ok=True)
    with network(work / "Conv_AE.h5") as h5:
        most = 60 if options.quick else MOST_REAL
        homes = filled_homes(work, options.pictures, most, sizes, options.seed)
    ways, inside, imports = {}, {}, {}
    for one in homes:
        with_article = not options.quick or one.size == goal
        ways[one.size] = asked(one, h5 if with_article else None, rounds, warm=not options.quick)
        inside[one.size] = steps(one.home, one.question, rounds)
        if one.size == goal:
            imports = import_costs(one.home, one.question, rounds)
    _publish(Found(goal, ways, inside, imports), options)


SIZES, GOAL, ROUNDS, MOST_REAL = (1_000, 10_000, 100_000), 10_000, 9, 500


def _publish(found: Found, options: Options) -> None:
    ours, theirs = found.ways[found.goal][CLOSED], found.ways[found.goal][ARTICLE]
    what = f"cold query at {found.goal:,} images, no daemon"
    times = theirs.seconds / ours.seconds
    report = Report(
        name="cold_query",
        title="Cold query",
        tables=tables(found),
        goals=(
            Goal(what, ours.seconds, MOST_SECONDS, "at most", "s"),
            Goal(f"{what}: peak memory", ours.peak_bytes / 1e6, MOST_MEGABYTES, "at most", "MB"),
            Goal(f"{what}: the article's time / ours", times, LEAST_TIMES, "at least"),
        ),
        notes=NOTES,
        measured=found.as_json(),
    )
    publish(report, options, lambda figure: draw(figure, found))


if __name__ == "__main__":
    run_with(__doc__, measure)
