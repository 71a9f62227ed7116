"""Installs Lookalike without extras and runs the first commands of a new user.

    python3 -m tests.install

Only the standard library and pip are needed. Packages come from wherever pip takes them, at the
versions of `constraints.txt`; nothing else reaches for a network. Sizes and times are printed; the
exit code is 0 when all went well, and an error's traceback says what did not.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.install.environment import Environment
from tests.install.trying import try_all


def main() -> int:
    """0 when all went well; an error's traceback otherwise."""
    with tempfile.TemporaryDirectory(prefix="lookalike-install-") as name:
        environment = Environment.install(Path(name))
        try_all(environment, Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
