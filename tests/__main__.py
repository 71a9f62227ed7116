"""`python -m tests [PYTEST OPTIONS]`: the whole suite, as two runs of pytest side by side.

Most tests wait for processes, so that two cores finish two runs in little more than half the time.
The second run's output is shown as it comes, the first one's when both have ended. Each ends with
what took longest in it, by which `FIRST` is chosen so that both take equally long.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LONGEST = ("--durations=40", "--durations-min=3")
FIRST = ("faults", "browser", "contract", "e2e/test_readme.py", "e2e/test_train.py")


def main(options: list[str]) -> int:
    """Exit code 0 if both runs have it, else the first one that is not."""
    apart = [str(HERE / name) for name in FIRST]
    others = [str(HERE), *(f"--ignore={folder}" for folder in apart)]
    with tempfile.TemporaryFile() as shown_later:
        first = subprocess.Popen(
            _pytest(*options, *apart), stdout=shown_later, stderr=subprocess.STDOUT
        )
        try:
            second = subprocess.run(_pytest(*options, *others), check=False).returncode
        except BaseException:
            first.terminate()
            raise
        finally:
            first.wait()
            shown_later.seek(0)
            sys.stdout.buffer.write(shown_later.read())
            sys.stdout.flush()
    return first.returncode or second


def _pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *LONGEST, *arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
