"""The process that `indexer recluster` fits in."""

from __future__ import annotations

from typing import Any

from indexer.cli.fit_process import answer_task


def _fit(task: dict[str, Any]) -> dict[str, Any]:
    from indexer.cli.progress import progress
    from indexer.parts import with_remembered_part
    from indexer.recluster import fit
    from shared.settings import load_settings

    settings = with_remembered_part(load_settings({"home": task["home"]}))
    pair = fit(settings, task["k"], task["seed"], progress())
    return {"encoder": pair.encoder, "generation": pair.generation}


if __name__ == "__main__":
    answer_task(_fit)
