"""The options of `indexer train` that say what is fitted: which go together, and what they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from indexer.training.configs import EncoderConfig

_AUTOENCODERS, _EFFICIENTNET = ("autoencoder", "autoencoder-plain"), ("efficientnet",)
_TRIPLET = ("triplet",)

_BELONGS = {
    "from_model": _AUTOENCODERS,
    "save_h5": _AUTOENCODERS,
    "from_scratch": ("autoencoder", "triplet"),
    "variant": _EFFICIENTNET,
    "weights": _EFFICIENTNET,
    "fine_tune": _EFFICIENTNET,
    "labels": _TRIPLET,
    "start": _TRIPLET,
    "mining": _TRIPLET,
    "margin": _TRIPLET,
    "folders": _TRIPLET,
}
"""The options that only some kinds of encoder have."""

_FITTING = ("epochs", "batch_size", "patience")
"""What says how to fit a network, without a word where none is fitted."""


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the user gave: of the others, the value is None, False or empty."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and value is not False and value != ()  # a margin of 0 was given
    }


def encoder_config(kind: str, options: Mapping[str, Any]) -> EncoderConfig:
    """The kind's configuration of `given` options.

    Raises `typer.BadParameter` for an unknown kind, an option that the kind has no use for, and a
    value that it refuses.
    """
    from indexer.training.configs import KINDS
    from shared.errors import TrainingError

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="--encoder")
    for name in options:
        if kind not in _BELONGS.get(name, (kind,)):
            raise _misplaced(name, f"only with --encoder {' or '.join(_BELONGS[name])}, not {kind}")
        if kind in _EFFICIENTNET and name in _FITTING and "fine_tune" not in options:
            raise _misplaced(name, f"only with --fine-tune: nothing else is fitted in {kind}")
    known = {field.name for field in fields(KINDS[kind])}
    try:
        return KINDS[kind](**{name: options[name] for name in options if name in known})
    except TrainingError as error:
        raise typer.BadParameter(str(error)) from error


def refuse_with_starter_only(kind: str, options: Mapping[str, Any]) -> None:
    """Raise `typer.BadParameter` for options that would have no effect."""
    for name in (*options, *(["encoder"] if kind != "autoencoder" else [])):
        raise _misplaced(name, "not with --starter-only, which fits nothing but clusters")


def cluster_count(k: str) -> int | None:
    """`--k`: None for *auto*. Raises `typer.BadParameter`."""
    if k == "auto":
        return None
    if not k.isdecimal() or int(k) < 1:
        raise typer.BadParameter(
            f"{k!r} is neither auto nor a whole number from 1", param_hint="--k"
        )
    return int(k)


def _misplaced(name: str, reason: str) -> typer.BadParameter:
    return typer.BadParameter(reason, param_hint=f"--{name.replace('_', '-')}")
