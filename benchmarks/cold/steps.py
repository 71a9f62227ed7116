"""A cold query with clocks around its steps: `python -m benchmarks.cold.steps STARTED HOME IMAGE`.

Runs `searcher query IMAGE --json` in this process and prints a line of JSON after the answer: by
step, seconds and kilobytes of peak memory that it added. STARTED is `time.monotonic()` of just
before the process was started.
"""

from __future__ import annotations

import time

FIRST_LINE = time.monotonic()

import builtins  # noqa: E402 - the clock comes first
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import reduce  # noqa: E402
from importlib import import_module  # noqa: E402
from typing import Any  # noqa: E402

START, IMPORTS, COMMAND_LINE, END = "Python starts", "imports", "command line", "Python ends"
STEPS = {
    "models read": ["searcher.home_asker:open_home"],
    "encoder loaded": ["searcher.opening:EncoderOnDemand.load"],
    "picture decoded": ["searcher.search:decode"],
    "picture encoded": ["searcher.opening:EncoderOnDemand.encode"],
    "index opened": ["searcher.opening:open_store"],
    "index searched": [f"shared.store.view:SharedStore.{name}" for name in ("search", "count")],
    "results compared": ["searcher.home_asker:with_tiers"],
    "index closed": ["shared.store.view:SharedStore.close"],
    "answer printed": [f"searcher.cli.answering:{name}" for name in ("answer_json", "write_bytes")],
}
"""Functions, by the module that calls them. Of a step within another, the inner one counts."""
ORDER = (START, IMPORTS, COMMAND_LINE, *STEPS, END)


class Clocks:
    """Seconds, and kilobytes by which the peak grew, by step."""

    def __init__(self, started: float) -> None:
        peak = _peak()
        self.spent = dict.fromkeys(ORDER, (0.0, 0)) | {START: (FIRST_LINE - started, peak)}
        self._open = [IMPORTS]  # those above
        self._last = FIRST_LINE, peak

    def around(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with a clock around it."""

        def timed(*arguments: Any, **named: Any) -> Any:
            if step == IMPORTS == self._open[-1]:
                return work(*arguments, **named)
            self.charge()
            self._open.append(step)
            try:
                return work(*arguments, **named)
            finally:
                self.charge()
                self._open.pop()

        return timed

    def charge(self) -> None:
        """Count what came since the last call for the step that is open."""
        now, (seconds, peak), step = (time.monotonic(), _peak()), self._last, self._open[-1]
        before = self.spent[step]
        self.spent[step] = before[0] + now[0] - seconds, before[1] + now[1] - peak
        self._last = now


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _put_clocks(clocks: Clocks) -> None:
    """Around every import and every step; what the steps' modules import is imported here."""
    builtins.__import__ = clocks.around(IMPORTS, builtins.__import__)
    load = clocks.around(IMPORTS, import_module)
    numpy = clocks.around(IMPORTS, load("searcher.numpy_alone").load_numpy)
    numpy()  # first, as the command does
    for step, functions in STEPS.items():
        for place in functions:
            module, _, path = place.partition(":")
            *outer, name = path.split(".")
            owner = reduce(getattr, outer, load(module))
            setattr(owner, name, clocks.around(step, getattr(owner, name)))


def main() -> None:
    """Answer, then tell."""
    started, home, image = sys.argv[1:]
    clocks = Clocks(float(started))
    _put_clocks(clocks)
    command = clocks.around(IMPORTS, import_module)("searcher.cli").main
    sys.argv = ["searcher", "query", image, "--self", "--json", "--home", home]
    try:
        clocks.around(COMMAND_LINE, command)()
    except SystemExit as end:
        if end.code:
            raise
    print(json.dumps(clocks.spent))


if __name__ == "__main__":
    main()
