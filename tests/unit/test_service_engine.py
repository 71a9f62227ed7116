"""The engine of the service while its home changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from searcher.query.options import Request
from searcher.service.asking import Asking, Upload
from searcher.service.engine import Engine
from shared.errors import ImageRefused, ImageUnknown, NoModel, StoreMissing
from shared.models import Models
from shared.roots import read_roots, write_roots
from shared.settings import Settings, load_settings
from tests.homes import make_home, tiny_encoder


@pytest.fixture
def settings(tmp_path: Path, photos: Path, tiny_tflite: Path) -> Settings:
    return make_home(tmp_path / "home", photos, tiny_tflite)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = Engine(settings, decoders=1)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def small_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of another geometry."""
    return tiny_encoder(tmp_path_factory.mktemp("small") / "encoder.tflite", size=32, seed=1)


def asking(photos: Path) -> Asking:
    return Asking(like=(Upload("0.jpg", (photos / "red" / "0.jpg").read_bytes()),))


def test_an_upload_finds_itself_first(engine: Engine, photos: Path) -> None:
    found = engine.answer(asking(photos))
    assert found.shown == "0.jpg"
    assert found.answer.results[0].record.path == "red/0.jpg"


def test_an_id_is_left_out_unless_kept_and_an_unknown_one_is_told(engine: Engine) -> None:
    (point,), _ = engine.opened().searcher.store.id_page(None, 1)
    found = {one.id for one in engine.answer(Asking(like=(point,))).answer.results}
    assert found
    assert point not in found
    kept = engine.answer(Asking(like=(point,), request=Request(keep_self=True)))
    assert kept.answer.results[0].id == point
    with pytest.raises(ImageUnknown):
        engine.answer(Asking(like=("00000000-0000-0000-0000-000000000000",)))


def test_the_same_seed_asks_with_the_same_image(engine: Engine) -> None:
    shown = {engine.answer(Asking(like=(), seed=seed)).shown for seed in (1, 1, 1)}
    assert len(shown) == 1
    assert len({engine.answer(Asking(like=(), seed=seed)).shown for seed in range(20)}) > 1


def test_a_bad_upload_costs_only_its_own_answer(engine: Engine, photos: Path) -> None:
    with pytest.raises(ImageRefused):
        engine.answer(Asking(like=(Upload("x.jpg", b"<html>"),)))
    assert engine.answer(asking(photos)).answer.results


def test_a_home_without_a_model_answers_after_the_first_training(
    tmp_path: Path, photos: Path, tiny_tflite: Path
) -> None:
    engine = Engine(load_settings({"home": tmp_path / "home"}, {}), decoders=1)
    try:
        with pytest.raises(NoModel):
            engine.answer(asking(photos))
        make_home(tmp_path / "home", photos, tiny_tflite, indexed=False)
        with pytest.raises(StoreMissing):
            engine.answer(asking(photos))
        make_home(tmp_path / "home", photos, tiny_tflite)
        assert engine.answer(asking(photos)).answer.results
    finally:
        engine.close()


def test_a_root_that_moves_is_followed(engine: Engine, settings: Settings, photos: Path) -> None:
    ((root, folder),) = engine.opened().home.roots.items()
    assert folder == photos
    write_roots(settings.home, {root: photos.parent / "elsewhere"})
    assert engine.opened().home.roots == read_roots(settings.home)


def test_each_answer_is_of_one_encoder_while_encoders_change(
    engine: Engine, settings: Settings, photos: Path, small_tflite: Path
) -> None:
    """Questions in several threads, and another pair of encoder and clusters all the while."""
    models = Models(settings.models)
    pairs = [models.current()]
    make_home(settings.home, photos, small_tflite, k=2, size=32)
    pairs.append(models.current())
    done, failed, answered = threading.Event(), [], []

    def ask() -> None:
        while not done.is_set():
            try:
                answered.append(engine.answer(asking(photos)).answer)
            except StoreMissing:  # it says that the clusters are changing
                continue
            except Exception as error:  # noqa: BLE001 - told below
                failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        models.set_current(pairs[turn % 2])
        so_far = len(answered)
        while len(answered) < so_far + 3 and not failed:
            done.wait(0.01)
    done.set()
    for thread in threads:
        thread.join()
    assert failed == []
    seen = set()
    for answer in answered:
        (encoder,) = {one.record.encoder for one in answer.results if one.record}
        assert answer.results[0].record.path == "red/0.jpg"
        seen.add(encoder)
    assert seen == {pair.encoder for pair in pairs}
