"""`python -m benchmarks.training`: does the loader of training's pictures starve the network?

The product's own fit with its own loader, against the same network, batches and optimiser on an
array in memory: the limit. Then a whole `indexer train`, stage by stage.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.fitting.command import REST, Stage, trained
from benchmarks.fitting.epochs import Epoch
from benchmarks.fitting.loaders import LIMIT, NETWORK, Contest, Way, ways
from benchmarks.fitting.triplets import Triplets, triplets
from benchmarks.options import Options, run_with
from benchmarks.report import Goal, Report, Table, publish
from indexer.training.runtime import make_repeatable

BAR = 0.9
TRAINING = "Training"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: pictures of an epoch, epochs of a turn (the first does not count),
    turns, and epochs of the whole training."""

    pictures: int
    epochs: int
    turns: int
    trained: int


FULL, QUICK = Plan(640, 4, 6, 3), Plan(96, 2, 1, 1)


@dataclass(slots=True)
class Found:
    """What one way of feeding gave, an entry a turn: images/s, in all its epochs and in the best,
    and processor milliseconds an image."""

    rates: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, epochs: Sequence[Epoch], pictures: int) -> None:
        """The medians of a turn's epochs, and the fastest."""
        self.rates.append(pictures / statistics.median(one.seconds for one in epochs))
        self.best.append(pictures / min(one.seconds for one in epochs))
        spent = statistics.median(one.processor_seconds for one in epochs)
        self.processor.append(1000 * spent / pictures)

    def ratio(self, limit: Found) -> float:
        """The median over the turns of images/s against the limit's in the same turn."""
        return statistics.median(a / b for a, b in zip(self.rates, limit.rates, strict=True))

    def best_ratio(self, limit: Found) -> float:
        """The same of the best epochs: other programs and machines only ever slow an epoch down."""
        return max(self.best) / max(limit.best)


def measure(options: Options) -> None:
    """Measure, print, keep."""
    plan = QUICK if options.quick else FULL
    scratch = options.home("training-scratch")
    stages = trained(options.pictures, options.home("training"), plan.trained)
    make_repeatable(options.seed)
    contest = Contest(_some(options.pictures, plan.pictures), plan.epochs, options.seed)
    loaders = ways(scratch)
    found = in_turns(contest, loaders, plan)
    alone = {way.name: contest.loader_alone(way) for way in loaders}
    learnt = triplets(plan.pictures, plan.epochs, options.seed)
    report = Report(
        name="training",
        title="Training: the loader against the network",
        tables=[loaders_table(found, alone, learnt), stages_table(stages, plan.trained)],
        goals=[
            Goal(
                f"training, {way.name}: images/s to those of an array in memory, best epochs",
                found[way.name].best_ratio(found[LIMIT]),
                BAR,
                "at least",
            )
            for way in loaders
        ],
        notes=notes(plan, len(_files(options.pictures))),
        measured={
            "plan": asdict(plan),
            "found": {name: asdict(one) for name, one in found.items()},
            "loader_alone": alone,
            "triplets": asdict(learnt),
            "stages": [asdict(stage) for stage in stages],
        },
    )
    publish(report, options, lambda figure: draw(figure, found, stages))


def in_turns(contest: Contest, loaders: Sequence[Way], plan: Plan) -> dict[str, Found]:
    """Every way once, then every way again. Raises ValueError if they learnt different things."""
    found = {name: Found() for name in (LIMIT, *(way.name for way in loaders))}
    for _ in range(plan.turns):
        epochs, loss = contest.from_array()
        found[LIMIT].add(epochs, plan.pictures)
        for way in loaders:
            epochs, own = contest.by_loader(way)
            if not np.isclose(own, loss, rtol=1e-3):
                raise ValueError(f"{way.name}: loss {own} after an epoch, {loss} from an array")
            found[way.name].add(epochs, plan.pictures)
    return found


def loaders_table(
    found: Mapping[str, Found], alone: Mapping[str, float], learnt: Triplets
) -> Table:
    """Every way of feeding beside the limit."""
    rows = [
        (
            name,
            f"{statistics.median(one.rates):.0f}",
            f"{one.ratio(found[LIMIT]):.2f}",
            f"{one.best_ratio(found[LIMIT]):.2f}",
            f"{statistics.median(one.processor):.2f}",
            f"{alone[name]:,.0f}" if name in alone else "",
        )
        for name, one in found.items()
    ]
    triplet = f"{learnt.trained:,.0f}", f"{learnt.ratio:.3f}", "", "", f"{learnt.gathered:,.0f}"
    header = ("pixels", "images/s", "to the limit", "best epochs, to the limit")
    return Table(
        f"Fitting the default network ({NETWORK.size} x {NETWORK.size} pixels)",
        (*header, "processor ms/image", "loader alone, images/s"),
        [*rows, ("triplet: features in memory", *triplet)],
    )


def stages_table(stages: Sequence[Stage], epochs: int) -> Table:
    """A whole training; steps are batches, of training alone."""
    whole = sum(stage.seconds for stage in stages)
    rows = [
        (_named(stage, epochs), f"{stage.seconds:.1f}", f"{100 * stage.seconds / whole:.0f} %")
        for stage in stages
    ]
    return Table("A whole `indexer train`", ("stage", "s", "share"), [*rows, _total(whole)])


def _total(whole: float) -> tuple[str, str, str]:
    return "all", f"{whole:.1f}", "100 %"


def _named(stage: Stage, epochs: int) -> str:
    if stage.name == TRAINING:
        return f"{stage.name} (epochs: {epochs})"
    return stage.name if stage.name == REST else f"{stage.name} ({stage.units:,})"


def notes(plan: Plan, pictures: int) -> list[str]:
    """How it was measured."""
    return [
        f"{plan.turns} turns of {plan.epochs} epochs over {plan.pictures} pictures each, all ways "
        "taking turns in one process; a turn's first epoch, in which TensorFlow traces, does not "
        "count. An epoch begins where the validation of the one before ends, so the loader's start "
        "is in it. Medians, ratios within a turn; goals are those of the best epochs of each way, "
        "for other programs only ever slow one down. The limit is Keras' own `fit` on a float32 "
        "array of the same batches; after an epoch all ways have the same loss.",
        "A training decodes every picture once, when it checks them, so that its first epoch is "
        "like the others. Pixels go into memory as far as 512 MiB go (10,900 pictures), then into "
        "a file; only where the disk has no room for that is a picture decoded in every epoch.",
        "The triplet training gathers rows of features that lie in memory; its ratio is that of a "
        "step without gathering to a step. "
        f"The whole training is that of {pictures:,} pictures, {plan.trained} epochs.",
    ]


def draw(figure: Figure, found: Mapping[str, Found], stages: Sequence[Stage]) -> None:
    """Images/s of every way beside the limit, and where a training's time goes."""
    left, right = figure.subplots(1, 2)
    names = [name.replace(", ", ",\n").replace(" (", "\n(") for name in found]
    rates = [max(one.best) for one in found.values()]
    bars = left.barh(names, rates, color=["#888888"] + ["#2a6f97"] * (len(names) - 1))
    ratios = [f"{one.best_ratio(found[LIMIT]):.2f}" for one in found.values()]
    left.bar_label(bars, ratios, padding=3)
    left.axvline(BAR * rates[0], color="#c0392b", linestyle="--", label=f"goal: {BAR:g}")
    left.set(
        xlabel="images/s of the best epochs, and ratio to the limit", xlim=(0, 1.18 * max(rates))
    )
    left.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    left.invert_yaxis()
    labels, seconds = [stage.name for stage in stages], [stage.seconds for stage in stages]
    right.bar_label(right.barh(labels, seconds, color="#2a6f97"), fmt="%.1f", padding=3)
    right.set(xlabel="seconds of one `indexer train`", xlim=(0, 1.25 * max(seconds)))
    right.invert_yaxis()


def _some(folder: Path, count: int) -> list[Path]:
    """So many pictures below a folder, from all over it; again from the first where there are
    fewer."""
    files = _files(folder)
    return list(itertools.islice(itertools.cycle(files[:: max(1, len(files) // count)]), count))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))


if __name__ == "__main__":
    run_with(__doc__, measure)
