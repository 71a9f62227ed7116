"""Fine-tuning without labels: two altered views of one picture shall get vectors that are alike,
and views of different pictures vectors that are not (SimCLR: Chen et al., *A Simple Framework for
Contrastive Learning of Visual Representations*, 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training.configs import EfficientNetConfig
from indexer.training.dataset import ImageBatches
from indexer.training.fit import History, fit
from indexer.training.recipe import Pictures
from indexer.training.runtime import keras
from indexer.training.source import ImagePath
from indexer.training.training import TrainingConfig
from indexer.training.views import part
from shared.errors import TrainingError
from shared.types import Pixels, Progress

LOSS = "contrastive loss (NT-Xent)"

TEMPERATURE = 0.1
"""The paper's best (table 5)."""

# The paper's crops keep 8 % of a picture and more, and its views lose their colours: what is in a
# picture counts there, not what it looks like. Here it does.
_LEAST_AREA = 0.4
_MOST_STRETCH = 4 / 3
_COLOR = 0.2

_WIDTH = 128  # of the vectors that are compared; the layers up to them are dropped afterwards

_VIEWS = 4  # first word of the random stream's key; `dataset.py` has 1 to 3


class TwoViews(ImageBatches):
    """Batches of views, float32 (2 n, size, size, 3) in [0, 255], with the row of each one's
    partner, int32 (2 n,): n pictures seen once, then the same n seen again.

    A view is a part of the picture, stretched to its size, perhaps flipped, in slightly other
    light. Views follow from `seed`, the epoch and the batch's number alone. Batches are of nearly
    equal size, since a picture is easier to tell from few others. Raises `TrainingError` where
    there is none to tell it from.
    """

    def __init__(
        self,
        paths: Sequence[ImagePath],
        batch_size: int,
        pictures: Pictures,
        *,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        if min(batch_size, len(paths)) < 2:
            raise TrainingError(
                f"fine-tuning compares pictures with each other, and batches of {batch_size} from "
                f"{len(paths)} hold one: raise --batch-size or --validation-share"
            )
        batches = -(-len(paths) // batch_size)
        even = -(-len(paths) // batches)
        super().__init__(paths, even, pictures.source, shuffle=shuffle, seed=seed)

    def __getitem__(  # type: ignore[override]
        self, index: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        random = np.random.default_rng((_VIEWS, self.seed, self.epoch, index))
        pixels = self.pixels(index)
        views = np.stack([_view(picture, random) for picture in (*pixels, *pixels)])
        return views, np.roll(np.arange(len(views), dtype=np.int32), len(pixels))


def fine_tune(
    backbone: Any,
    network: EfficientNetConfig,
    config: TrainingConfig,
    pictures: Pictures,
    progress: Progress,
) -> History:
    """Fit the last stages of the backbone in place; the weights of the lowest validation loss stay.

    Raises `TrainingError` as `fit` does.
    """
    _freeze(backbone)
    hidden = keras.layers.Dense(backbone.output.shape[-1], activation="relu")(backbone.output)
    compared = keras.layers.UnitNormalization()(keras.layers.Dense(_WIDTH)(hidden))
    model = keras.Model(backbone.input, compared)
    size, seed = config.batch_size, config.seed
    return fit(
        model,
        TwoViews(pictures.training, size, pictures, seed=seed),
        TwoViews(pictures.validation, size, pictures, shuffle=False, seed=seed),
        epochs=config.max_epochs,
        patience=config.patience,
        learning_rate=network.learning_rate,
        progress=progress,
        compile={"loss": contrastive_loss},
        checkpoint=pictures.checkpoint_of(model, {"loss": LOSS}),
    )


def contrastive_loss(partners: Any, views: Any) -> Any:
    """NT-Xent, one value for each of m views: the cross-entropy of finding the view's partner among
    all others by cosine. `partners`: (m,) rows; `views`: float32 (m, d), unit rows."""
    alike = keras.ops.matmul(views, keras.ops.transpose(views)) / TEMPERATURE
    itself = keras.ops.eye(keras.ops.shape(views)[0]) * 1e9
    partners = keras.ops.cast(keras.ops.reshape(partners, (-1,)), "int32")
    return keras.ops.sparse_categorical_crossentropy(partners, alike - itself, from_logits=True)


def _freeze(backbone: Any) -> None:
    """Leave only the last stages trainable, and no batch normalization.

    What the early stages see is the same in all photographs, and the way back through them would
    take most of the time. Batch statistics of a few pictures are worse than those that are there.
    """
    late = False
    for layer in backbone.layers:
        late = late or layer.name.startswith("block6")
        layer.trainable = late and not isinstance(layer, keras.layers.BatchNormalization)


def _view(picture: Pixels, random: np.random.Generator) -> NDArray[np.float32]:
    seen = part(picture, random, least_area=_LEAST_AREA, most_stretch=_MOST_STRETCH)
    return _relit(seen.astype(np.float32), random)


def _relit(seen: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Another brightness, contrast and saturation."""
    brightness, contrast, saturation = random.uniform(1 - _COLOR, 1 + _COLOR, 3)
    grey = seen.mean(axis=2, keepdims=True)
    seen = grey + saturation * (seen - grey)
    lit = brightness * (seen.mean() + contrast * (seen - seen.mean()))
    clipped: NDArray[np.float32] = np.clip(lit, 0, 255).astype(np.float32)
    return clipped
