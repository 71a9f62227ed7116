"""The options of `indexer train`: which go together, and what they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from indexer.cli.encoder_options import (
    cluster_count,
    encoder_config,
    given,
    refuse_with_starter_only,
)
from indexer.training.configs import (
    EfficientNetConfig,
    PlainConfig,
    TripletConfig,
    as_json,
)


def test_what_was_not_given_is_not_among_the_options() -> None:
    everything = {"labels": None, "fine_tune": False, "folders": (), "margin": 0.0, "epochs": 3}
    assert given(everything) == {"margin": 0.0, "epochs": 3}


def test_options_become_the_kinds_configuration() -> None:
    assert encoder_config("efficientnet", {}) == EfficientNetConfig()
    assert encoder_config("autoencoder-plain", {"epochs": 3}) == PlainConfig()
    options: dict[str, Any] = {"variant": "B3", "weights": Path("w.h5"), "fine_tune": True}
    assert encoder_config("efficientnet", options) == EfficientNetConfig("B3", Path("w.h5"), True)
    options = {"labels": Path("x.csv"), "start": "efficientnet", "margin": 0.2}
    found = encoder_config("triplet", {**options, "folders": (Path("a"),)})
    assert found == TripletConfig(
        labels=Path("x.csv"), start="efficientnet", margin=0.2, folders=(Path("a"),)
    )
    assert "folders" not in as_json(found)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("autoencoder", {"variant": "B1"}, "only with --encoder efficientnet, not autoencoder"),
        ("autoencoder-plain", {"weights": Path("w")}, "only with --encoder efficientnet"),
        ("autoencoder-plain", {"from_scratch": True}, "only with --encoder autoencoder or triplet"),
        ("autoencoder", {"fine_tune": True}, "only with --encoder efficientnet"),
        ("autoencoder", {"mining": "batch-hard"}, "only with --encoder triplet, not autoencoder"),
        ("efficientnet", {"from_model": Path("m")}, "only with --encoder autoencoder or"),
        ("efficientnet", {"save_h5": True}, "only with --encoder autoencoder or"),
        ("efficientnet", {"epochs": 3}, "only with --fine-tune"),
        ("efficientnet", {"variant": "B8"}, "variant is 'B8': it must be one of"),
        ("triplet", {"margin": 0.0}, "margin is 0"),
        ("vgg", {}, "'vgg' is none of autoencoder, "),
    ],
)
def test_an_option_without_effect_is_wrong_usage(
    kind: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        encoder_config(kind, options)


@pytest.mark.parametrize(
    ("kind", "options", "hint"),
    [("autoencoder", {"batch_size": 8}, "--batch-size"), ("triplet", {}, "--encoder")],
)
def test_the_encoder_that_ships_takes_no_options_of_a_training(
    kind: str, options: dict[str, Any], hint: str
) -> None:
    with pytest.raises(typer.BadParameter, match="not with --starter-only") as refused:
        refuse_with_starter_only(kind, options)
    assert refused.value.param_hint == hint
    refuse_with_starter_only("autoencoder", {})


def test_k_is_auto_or_a_whole_number_from_one() -> None:
    assert (cluster_count("auto"), cluster_count("12")) == (None, 12)
    for wrong in ("0", "-1", "two", "1.5", ""):
        with pytest.raises(typer.BadParameter, match="neither auto nor a whole number"):
            cluster_count(wrong)
