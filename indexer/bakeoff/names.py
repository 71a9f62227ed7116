"""What figures and floors are called in front of people."""

from __future__ import annotations

from indexer.bakeoff.questions import AVERAGE_PRECISION, DEPTH, PRECISION, RECALL, K

_FIGURES = {
    PRECISION: f"P@{K}",
    AVERAGE_PRECISION: f"mAP@{DEPTH}",
    RECALL: "recall@1",
    "reencoding": "re-encoding",
}
_FLOORS = {
    "raw_pixels": "raw pixels",
    "pca_512": "PCA, 512 components",
    "color_histogram": "colour histogram",
    "gradient_histogram": "gradient histogram",
}


def figure_name(name: str) -> str:
    """``"p_at_10"`` is *P@10*."""
    return _FIGURES.get(name, name)


def floor_name(name: str) -> str:
    """``"pca_512"`` is *PCA, 512 components*."""
    return _FLOORS[name]
