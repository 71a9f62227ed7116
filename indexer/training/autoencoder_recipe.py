"""The default encoder: a convolutional autoencoder's latent and statistics of patches, as 512
numbers. Fitted on the user's own pictures, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from indexer.training.autoencoder import build_autoencoder, encoder_part, start_linear
from indexer.training.configs import AutoencoderConfig
from indexer.training.dataset import scaled
from indexer.training.descriptors import shrunk
from indexer.training.likeness import Blocks, blocks_of, likeness_encoder
from indexer.training.recipe import Fitted, Pictures
from indexer.training.reconstruction import Reconstruction
from indexer.training.runtime import keras
from indexer.training.start import load_starter
from indexer.training.statistics import fit_vocabularies, statistics
from indexer.training.training import TrainingConfig
from indexer.training.views import part
from shared.errors import ModelError
from shared.types import PIXELS_VERSION, Pixels, PixelSpec, Progress

_LATENT = "latent"

_LEAST_AREA = 0.6

# First words of the random streams' keys; those of `dataset` begin at 1.
_VOCABULARY, _PROJECTION = 11, 12


class AutoencoderRecipe:
    """Fits the autoencoder, then vocabularies of patches, then the projection to 512 numbers."""

    kind = AutoencoderConfig.kind

    def __init__(self, network: AutoencoderConfig, config: TrainingConfig) -> None:
        self._network, self._config = network, config
        self._started_from = "pca"
        self.spec = PixelSpec(size=network.picture, version=PIXELS_VERSION)

    def fit(self, pictures: Pictures, figures: Path, progress: Progress) -> Fitted:
        """See `Recipe.fit`."""
        work = self.begin(pictures, figures, progress)
        history = work.fit(progress)
        metrics = work.metrics(history) | {"started_from": self._started_from}
        features = self.features(work.autoencoder, pictures, progress)
        blocks = self._blocks(features, pictures, progress)
        network = self._network
        encoder, kept = likeness_encoder(
            features, blocks, network.weights, whiten=network.whiten, seed=self._config.seed
        )
        return Fitted(encoder, work.saved(), metrics | {"variance_kept": kept})

    def begin(self, pictures: Pictures, figures: Path, progress: Progress) -> Reconstruction:
        """The autoencoder as PCA of the training pictures, or with the weights of the starter where
        these rebuild the validation pictures better."""
        work = Reconstruction(build_autoencoder(self._network), pictures, self._config, figures)
        self._started_from = self._start(work, progress)
        return work

    def _start(self, work: Reconstruction, progress: Progress) -> str:
        """Give the autoencoder its first weights; where they are from."""
        pictures, seed = work.pictures, self._config.seed
        some = pictures.sample(
            pictures.training, self._network.linear_pictures, (_PROJECTION, seed)
        )
        start_linear(work.autoencoder, scaled(some, self._network.size), seed)
        if not self._config.starter:
            return "pca"
        linear, loss = work.autoencoder.get_weights(), work.validation_loss()
        try:
            starter = load_starter(work.autoencoder)
        except ModelError as error:
            progress.say(f"{error}: going on without the starter")
            return "pca"
        if starter is not None and work.validation_loss() < loss:
            return starter
        work.autoencoder.set_weights(linear)
        return "pca"

    def features(self, autoencoder: Any, pictures: Pictures, progress: Progress) -> Any:
        """A Keras model from pictures in [0, 1] to blocks of features, the latent among them."""
        network = self._network
        some = pictures.sample(
            pictures.all, network.vocabulary_pictures, (_VOCABULARY, self._config.seed)
        )
        vocabularies = fit_vocabularies(some, self._config.seed, progress)
        picture = keras.Input((network.picture, network.picture, 3), name="picture")
        blocks = dict(statistics(network.picture, vocabularies)(picture))
        small = shrunk(picture, network.picture // network.size)
        blocks[_LATENT] = encoder_part(autoencoder)(small)
        return keras.Model(picture, blocks, name="features")

    def _blocks(self, features: Any, pictures: Pictures, progress: Progress) -> Blocks:
        """What the features say of the pictures and, where these are few, of parts of them: PCA of
        a hundred pictures would see no more than a hundred directions."""
        network, key = self._network, (_PROJECTION, self._config.seed)
        paths = pictures.draw(pictures.all, network.projection_pictures, key)
        rounds = 1 + max(0, network.least_views // len(paths) - 1)
        random = np.random.default_rng(key)
        with progress.stage("Measuring pictures", rounds * len(paths)) as stage:

            def batches() -> Iterator[Pixels]:
                for number in range(rounds):
                    for some, pixels in pictures.chunks(paths):
                        yield pixels if number == 0 else _parts(pixels, random)
                        stage.advance(len(some))

            return blocks_of(features, batches())


def _parts(pixels: Pixels, random: np.random.Generator) -> Pixels:
    parts: Pixels = np.stack(
        [part(one, random, least_area=_LEAST_AREA, most_stretch=1.2) for one in pixels]
    )
    return parts
