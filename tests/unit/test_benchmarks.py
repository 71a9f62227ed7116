"""What benchmarks keep: verdicts, files and the page, and that the committed ones are real."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.growing.curves import Curve
from benchmarks.options import RESULTS, Options
from benchmarks.report import Goal, Report, Table, publish, read
from benchmarks.results import ORDER, PAGE, page, write

MACHINE_PATH = re.compile(r"(?<![\w.])/(tmp|work|home|root|var|mnt|usr|Users)\b")


def _report(name: str = "growth", **changes: Any) -> Report:
    values: dict[str, Any] = {
        "name": name,
        "title": f"How it {name}s",
        "tables": [Table("Speed", ("", "images/s"), [("ours", "12"), ("theirs", "3")])],
        "goals": [Goal("ours / theirs", 4.0, 3.5, "at least"), Goal("wait", 0.4, 0.3, "at most")],
        "notes": ["Medians of three."],
        "measured": {"ours": [12.0, 12.5], "sizes": {"1000": 3}},
    }
    return Report(**values | changes)


def _options(out: Path, *, quick: bool = False) -> Options:
    return Options(pictures=out, full_size=out, work=out, out=out, quick=quick, most=1, seed=7)


def _draw(figure: Figure) -> None:
    figure.subplots().plot([1, 2], [3, 4])


@pytest.mark.parametrize(
    ("kind", "figure", "met"),
    [
        ("at least", 0.8, True),
        ("at least", 0.7996, False),
        ("at least", 0.8004, True),
        ("at most", 0.8, True),
        ("at most", 0.8004, False),
        ("at most", 0.7996, True),
    ],
)
def test_a_goal_is_met_as_measured_and_not_as_rounded(
    kind: Literal["at least", "at most"], figure: float, met: bool
) -> None:
    goal = Goal("share of the limit", figure, 0.8, kind, "s")
    assert goal.met is met
    assert goal.row() == (
        "share of the limit",
        f"{kind} 0.8 s",
        "0.8 s",
        "met" if met else "**not met**",
    )


def test_a_figure_that_is_no_number_meets_nothing() -> None:
    assert not Goal("", float("nan"), 0.8, "at least").met
    assert not Goal("", float("nan"), 0.8, "at most").met


def test_what_is_published_is_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "results"
    publish(_report(), _options(out), _draw)
    found, about = read(out / "growth.json")
    assert json.dumps(found.measured) == json.dumps(_report().measured)
    assert [tuple(map(tuple, table.rows)) for table in found.tables] == [
        (("ours", "12"), ("theirs", "3"))
    ]
    assert (found.title, list(found.goals)) == (_report().title, list(_report().goals))
    assert (about["quick"], about["seed"]) == (False, 7)
    with Image.open(out / "growth.png") as drawn:
        assert drawn.format == "PNG"
        assert len(drawn.convert("L").getcolors() or ()) > 1
    shown = capsys.readouterr().out
    assert "| theirs | 3" in shown
    assert "**not met**" in shown


def test_a_quick_run_judges_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(_report(), _options(tmp_path, quick=True), _draw)
    assert read(tmp_path / "growth.json")[1]["quick"] is True
    assert "met" not in capsys.readouterr().out


def test_a_figure_that_json_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        publish(_report(measured={"p50": float("inf")}), _options(tmp_path), _draw)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_is_refused(tmp_path: Path, version: object) -> None:
    publish(_report(), _options(tmp_path), _draw)
    kept = tmp_path / "growth.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "format": version}))
    with pytest.raises(ValueError, match=f"has format {version}, not 1: measure again"):
        read(kept)


def test_the_page_has_every_benchmark_that_has_results_in_order(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name in ("service", "indexing", "unknown"):
        publish(_report(name), _options(results), _draw)
    lines = write(results).read_text().splitlines()
    assert (tmp_path / PAGE).read_text() == page(results)
    assert [line for line in lines if line.startswith("#")] == [
        "# Results",
        "## How it indexings",
        "## How it services",
    ]
    assert "**2 of 4 goals are met.**" in lines
    assert lines.count("| wait | at most 0.3 | 0.4 | **not met** |") == 2
    assert "![How it services](results/service.png)" in lines
    assert "| theirs | 3 |" in lines
    assert "- Medians of three." in lines


def test_a_page_of_nothing_claims_nothing(tmp_path: Path) -> None:
    assert "**0 of 0 goals are met.**" in page(tmp_path)


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    kept = RESULTS.parent / PAGE
    assert kept.exists(), "run python -m benchmarks.results"
    assert kept.read_text() == page(RESULTS), "run python -m benchmarks.results"


KEPT = [name for name in ORDER if (RESULTS / f"{name}.json").exists()]


def test_only_benchmarks_have_committed_results_each_with_its_figure() -> None:
    kept = {path.name for path in RESULTS.glob("*")}
    assert KEPT, "run make bench"
    assert kept == {f"{name}.{kind}" for name in KEPT for kind in ("json", "png")}


@pytest.mark.parametrize("name", KEPT)
def test_a_committed_result_is_of_a_full_run_and_of_no_place(name: str) -> None:
    path = RESULTS / f"{name}.json"
    report, about = read(path)
    assert about["quick"] is False
    assert report.name == name
    assert report.tables
    assert all(len(row) == len(table.header) for table in report.tables for row in table.rows)
    assert not MACHINE_PATH.findall(path.read_text())


def test_a_machines_path_is_found_wherever_it_stands() -> None:
    for before, name, after in (('"', "tmp", '/x"'), ("in ", "work", ""), ("(", "home", "/a)")):
        text = f"{before}/{name}{after}"
        assert MACHINE_PATH.search(text), text
    for text in ("images/work", "https://a.b/home", "per image/root", "benchmarks/results"):
        assert not MACHINE_PATH.search(text), text


def test_an_exponent_is_fitted_over_the_upper_half() -> None:
    """Below the geometric mean of the ends a constant is most of the total."""
    sizes = (10, 100, 1_000, 10_000)
    line = Curve("line", "time", {size: 3e-6 * size for size in sizes})
    assert line.exponent == pytest.approx(1)
    late = Curve("late", "disk", {10: 1e6, 100: 1e6, 1_000: 1e6, 10_000: 1e8})
    assert late.upper == [1_000, 10_000]
    assert late.exponent == pytest.approx(2)
    two = Curve("two", "memory", {10: 2.0, 1_000: 2.0})
    assert two.exponent == pytest.approx(0)


def test_a_figure_is_of_each_image_or_of_all() -> None:
    totals = {1_000: 1.2345, 2_000: 4.0}
    each = Curve("scan", "time", totals)
    assert (each.cell(1_000), each.cell(2_000), each.cell(5)) == ("1,230", "2,000", "")
    assert each.unit == "µs/image"
    whole = Curve("open", "memory", {1_000: 123_456_789.0}, each=False)
    assert (whole.cell(1_000), whole.unit) == ("123", "MB")
