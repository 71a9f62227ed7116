"""Builds the images, brings everything up, asks, kills, and takes everything down again.

    python -m tests.compose [--trainer]

`--trainer` also builds the indexer's image with TensorFlow, which takes a download of a gigabyte;
without it the indexer runs from the searcher's, with clusters that were fitted out here.
PYTHON_IMAGE, QDRANT_IMAGE and NGINX_IMAGE name real images; where one is not given and the default
cannot be pulled, one is made here. Without an engine it says so, and exits with 0.
"""

from __future__ import annotations

import argparse
import sys

from tests.compose.clustering import FILES, try_cluster
from tests.compose.engine import why_no_engine
from tests.compose.images import made_images
from tests.compose.project import Project, project_folder
from tests.compose.saying import say
from tests.compose.trying import try_all


def main() -> int:
    """0 when all went well or there is no engine; an error's traceback otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--trainer", action="store_true", help="build the image with TensorFlow")
    trainer = parser.parse_args().trainer
    if reason := why_no_engine():
        say(f"skipped: {reason}")
        return 0
    with project_folder() as folder:
        images = made_images(folder, trainer=trainer)
        with Project(folder, images) as project:
            try_all(project)
        with Project(folder, images, FILES) as project:
            try_cluster(project)
    say("all well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
