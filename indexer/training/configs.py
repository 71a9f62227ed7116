"""One frozen configuration for each kind of encoder that can be trained. Imports no framework.

Every figure in here can be changed from Python; the command line shows the few that people need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from shared.errors import TrainingError


@dataclass(frozen=True, slots=True)
class PlainConfig:
    """The article's network: a baseline to compare with.

    `size`: edge of the square input. `filters`: one convolution each, every one followed by a
    pooling that halves the edge.
    """

    kind: ClassVar[str] = "autoencoder-plain"
    epochs: ClassVar[int] = 50

    size: int = 128
    filters: tuple[int, ...] = (32, 16, 8, 8)

    def __post_init__(self) -> None:
        _check_halving(self.size, self.filters)


WEIGHTS = {"shapes": 1.8, "textures": 1.0, "colours": 1.2, "layout": 1.8, "latent": 0.5}


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """The default network.

    `picture`: edge of the square input; statistics of patches look at all of it. `size`: edge of
    the square that the autoencoder rebuilds, by which `picture` can be divided. `filters`: of its
    residual branches, one halving of the edge each, so a block has 2 to their number pixels an
    edge. `components`: numbers that stand for a block before all blocks become 512. `weights`: how
    much each block of features counts in the likeness of two pictures; 0 leaves it out. `whiten`:
    share of whitening in the projection, in [0, 1]. The last four: most pictures that linear start,
    vocabularies and projection are fitted on, and how many views of them the projection wants where
    there are fewer pictures.
    """

    kind: ClassVar[str] = "autoencoder"
    epochs: ClassVar[int] = 10

    picture: int = 128
    size: int = 64
    filters: tuple[int, ...] = (24, 48, 96)
    components: int = 32
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    whiten: float = 0.3
    linear_pictures: int = 4000
    vocabulary_pictures: int = 600
    projection_pictures: int = 6000
    least_views: int = 1000

    def __post_init__(self) -> None:
        _check_halving(self.size, self.filters)
        if self.picture % self.size:
            raise TrainingError(f"picture {self.picture} cannot be divided by size {self.size}")
        unknown = set(self.weights) - set(WEIGHTS)
        if unknown:
            raise TrainingError(f"weights name {sorted(unknown)}: known are {', '.join(WEIGHTS)}")
        if not any(weight > 0 for weight in self.weights.values()):
            raise TrainingError("weights leave out every block: give at least one more than 0")
        if not 1 <= self.components <= 3 * self.block**2:
            raise TrainingError(
                f"components is {self.components}: a block of {self.block} pixels an edge has 1 to "
                f"{3 * self.block**2}"
            )

    @property
    def block(self) -> int:
        """Edge of a block, in pixels."""
        return int(2 ** len(self.filters))


STARTS = ("autoencoder", "autoencoder-plain", "efficientnet")
MININGS = ("semi-hard", "batch-hard")

VARIANTS = {
    "B0": 224,
    "B1": 240,
    "B2": 260,
    "B3": 300,
    "B4": 380,
    "B5": 456,
    "B6": 528,
    "B7": 600,
}
"""Every EfficientNet, and the edge of the square pictures that it was made for, in pixels."""

_LEAST_EDGE = 32
"""Keras refuses less: nothing would be left of it after five halvings."""


@dataclass(frozen=True, slots=True)
class EfficientNetConfig:
    """`keras.applications.EfficientNet`, pooled. `variant`: ``"B0"`` to ``"B7"``. `weights`: a file
    of weights; None means ImageNet's, which Keras fetches. `fine_tune`: train the network further
    on the pictures before it is exported, without labels, at `learning_rate` (that of the training
    is meant for networks that know nothing yet). `size`: edge of the square input; None means the
    variant's own."""

    kind: ClassVar[str] = "efficientnet"
    epochs: ClassVar[int] = 5

    variant: str = "B0"
    weights: Path | None = None
    fine_tune: bool = False
    learning_rate: float = 1e-4
    size: int | None = None

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise TrainingError(
                f"variant is {self.variant!r}: it must be one of {', '.join(VARIANTS)}"
            )
        if self.edge < _LEAST_EDGE:
            raise TrainingError(f"size is {self.size}: it must be at least {_LEAST_EDGE}")

    @property
    def edge(self) -> int:
        """Edge of the square input, in pixels."""
        return VARIANTS[self.variant] if self.size is None else self.size


@dataclass(frozen=True, slots=True)
class TripletConfig:
    """A supervised model.

    `labels`: a CSV of file and label; None means the first level of folders below `folders`.
    `start`: the kind of encoder whose features it learns from. A batch has `pictures` of each of
    `classes` classes; `mining` picks its triplets, *semi-hard* or *batch-hard*; a negative shall be
    farther than a positive by `margin`, in squared distances of unit vectors.
    """

    kind: ClassVar[str] = "triplet"
    epochs: ClassVar[int] = 20

    labels: Path | None = None
    folders: tuple[Path, ...] = ()
    start: str = "autoencoder"
    mining: str = "semi-hard"
    margin: float = 0.5
    classes: int = 10
    pictures: int = 8
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise TrainingError(f"start is {self.start!r}: it must be one of {', '.join(STARTS)}")
        if self.mining not in MININGS:
            raise TrainingError(
                f"mining is {self.mining!r}: it must be one of {', '.join(MININGS)}"
            )
        if not 0 < self.margin < 4:
            raise TrainingError(f"margin is {self.margin}: it must be between 0 and 4")
        if min(self.classes, self.pictures) < 2:
            raise TrainingError("a batch needs two classes with two pictures each, or more")


EncoderConfig: TypeAlias = PlainConfig | AutoencoderConfig | EfficientNetConfig | TripletConfig

KINDS: dict[str, type[EncoderConfig]] = {
    config.kind: config
    for config in (AutoencoderConfig, PlainConfig, EfficientNetConfig, TripletConfig)
}


def as_json(config: EncoderConfig) -> dict[str, Any]:
    """A configuration as JSON values, for the manifest; a path is its name only, and where the
    pictures lie is not told: moved, they give the same model."""
    return {name: _json(value) for name, value in asdict(config).items() if name != "folders"}


def _json(value: Any) -> Any:
    if isinstance(value, Path):
        return value.name
    return [_json(one) for one in value] if isinstance(value, tuple) else value


def _check_halving(size: int, filters: tuple[int, ...]) -> None:
    if not filters or size % 2 ** len(filters):
        raise TrainingError(f"size {size} cannot be halved {len(filters)} times")
