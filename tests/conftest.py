"""Fixtures that every room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.homes import tiny_encoder


@pytest.fixture(scope="session")
def tiny_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported encoder without training: 8 x 8 mean colours, centred, randomly projected."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "encoder.tflite")
