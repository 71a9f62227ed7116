"""The triplet model: an encoder without labels, whose last step is learnt again from labels.

`docs/triplet.md` tells what a triplet is, and what the siamese view of this is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.training import can_draw
from indexer.training.configs import KINDS, TripletConfig
from indexer.training.metric import Labelled, Learnt, learn_projection
from indexer.training.projection import projected
from indexer.training.recipe import Fitted, Pictures, recipe_for
from indexer.training.runtime import keras
from indexer.training.source import ImagePath
from indexer.training.training import TrainingConfig
from shared.errors import TrainingError
from shared.labels import read_labels
from shared.types import Progress

_LEAST = 3
"""Pictures that a class needs: two to learn from and one to ask with."""

_SHOWN = 800
_SPLIT = 31  # first word of the random stream's key
_NAMED = 10


class TripletRecipe:
    """Fits the encoder that it starts from, then learns its projection from the labels."""

    kind = TripletConfig.kind

    def __init__(self, encoder: TripletConfig, config: TrainingConfig) -> None:
        self._encoder, self._config = encoder, config
        start = replace(config, encoder=KINDS[encoder.start](), epochs=None)
        self._start = recipe_for(start)
        self.spec = self._start.spec

    def fit(self, pictures: Pictures, figures: Path, progress: Progress) -> Fitted:
        """See `Recipe.fit`. The pictures without a label, and those of classes left out, serve the
        encoder that it starts from."""
        classes = self._classes(pictures, progress)
        started = self._start.fit(pictures, figures, progress)
        features = _features(started.encoder)
        training = self._labelled(features, pictures, classes.training, classes, progress)
        validation = self._labelled(features, pictures, classes.validation, classes, progress)
        learnt = learn_projection(
            training,
            validation,
            self._encoder,
            epochs=self._config.max_epochs,
            seed=self._config.seed,
            progress=progress,
        )
        if can_draw():
            self._draw(learnt, validation, classes, figures)
        metrics = {
            "start": dict(started.metrics),
            "classes": list(classes.names),
            "left_out": classes.left_out,
            "training": len(training.codes),
            "validation": len(validation.codes),
            **learnt.metrics(),
        }
        encoder = keras.Model(features.input, projected(features.output, learnt.projection))
        return Fitted(encoder, started.saved, metrics, quantize=started.quantize)

    def _draw(self, learnt: Learnt, asked: Labelled, classes: _Classes, folder: Path) -> None:
        from indexer.training.figures import draw_losses, draw_precision, draw_projection

        history, projection = learnt.history, learnt.projection
        draw_losses(
            history.loss,
            history.val_loss,
            folder / "triplet-losses.png",
            "triplet loss",
            decides=False,
        )
        found = history.extra["val_p_at_10"]
        draw_precision(found, learnt.start, folder / "precision.png")
        count = min(len(asked.codes), _SHOWN)  # the rows run class by class: take some of each
        rows = np.linspace(0, len(asked.codes) - 1, count).astype(int)
        vectors = _unit((asked.features[rows] - projection.mean) @ projection.components)
        names = [classes.names[code] for code in asked.codes[rows]]
        draw_projection(vectors, names, folder / "projection.png", self._config.seed)

    def _classes(self, pictures: Pictures, progress: Progress) -> _Classes:
        labels = read_labels(pictures.all, self._encoder.folders, self._encoder.labels)
        for remark in labels.remarks:
            progress.say(remark)
        found = _Classes.of(
            pictures.all, labels.by_path, self._config.validation_share, self._config.seed
        )
        unlabelled = len(pictures.all) - len(labels.by_path)
        if unlabelled:
            noun = "picture has" if unlabelled == 1 else "pictures have"
            progress.say(
                f"{unlabelled:,} {noun} no label: only the encoder it starts from has them"
            )
        if found.left_out:
            named = [f"{name} ({count})" for name, count in list(found.left_out.items())[:_NAMED]]
            more = len(found.left_out) - len(named)
            progress.say(
                f"left out, fewer than {_LEAST} pictures: {', '.join(named)}"
                + (f" and {more} more" if more else "")
            )
        if len(found.names) < 2:
            noun = "class" if len(found.names) == 1 else "classes"
            raise TrainingError(
                f"{len(found.names)} {noun} with at least {_LEAST} pictures, two are needed: put "
                "pictures into a folder for each class, or name a CSV with --labels"
            )
        return found

    def _labelled(
        self,
        features: Any,
        pictures: Pictures,
        paths: Sequence[ImagePath],
        classes: _Classes,
        progress: Progress,
    ) -> Labelled:
        rows, codes = [], []
        with progress.stage("Measuring pictures", len(paths)) as stage:
            for some, pixels in pictures.chunks(paths):
                rows.append(features(pixels.astype(np.float32), training=False).numpy())
                codes += [classes.code_of[os.fsencode(path)] for path in some]
                stage.advance(len(some))
        return Labelled(np.concatenate(rows), np.array(codes))


@dataclass(frozen=True, slots=True)
class _Classes:
    """Who is in which class: `code_of` a path the index into `names`; `left_out`: classes with too
    few pictures and their sizes. The split has the same share of every class."""

    names: tuple[str, ...]
    code_of: dict[bytes, int]
    training: list[ImagePath]
    validation: list[ImagePath]
    left_out: dict[str, int]

    @classmethod
    def of(
        cls, paths: Sequence[ImagePath], labels: dict[bytes, str], share: float, seed: int
    ) -> _Classes:
        sizes = Counter(labels[key] for path in paths if (key := os.fsencode(path)) in labels)
        names = tuple(sorted(name for name, size in sizes.items() if size >= _LEAST))
        number = {name: code for code, name in enumerate(names)}
        members: list[list[ImagePath]] = [[] for _ in names]
        for path in paths:
            name = labels.get(os.fsencode(path))
            if name in number:
                members[number[name]].append(path)
        training: list[ImagePath] = []
        validation: list[ImagePath] = []
        for code, some in enumerate(members):
            order = np.random.default_rng((_SPLIT, seed, code)).permutation(len(some))
            held = min(max(1, round(len(some) * share)), len(some) - 2)
            validation += [some[row] for row in sorted(order[:held].tolist())]
            training += [some[row] for row in sorted(order[held:].tolist())]
        return cls(
            names=names,
            code_of={os.fsencode(path): code for code, some in enumerate(members) for path in some},
            training=training,
            validation=validation,
            left_out={name: size for name, size in sorted(sizes.items()) if size < _LEAST},
        )


def _features(encoder: Any) -> Any:
    """The graph up to what the last, linear step is given; where there is none, up to what is
    centred."""
    names = [layer.name for layer in encoder.layers]
    last = next(name for name in ("projection", "centred", "unit") if name in names)
    return keras.Model(encoder.input, encoder.get_layer(last).input)


def _unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit
