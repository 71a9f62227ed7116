"""Exact, near, similar, or none of them: files of a real folder, scores given by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from searcher.duplicates import small_pictures
from searcher.duplicates.tier_rule import TierRule
from searcher.duplicates.tiers import Fingerprint, Tiers
from searcher.hashes import bits_apart, hash_distance
from shared.calibration import Calibration
from shared.images import decode
from shared.roots import root_id
from shared.types import ImageRecord, ScoredImage
from tests.homes import image_record
from tests.pictures import cropped, encoded, scene, stamped
from tests.profiles import converted, rgb_profile


class Folder:
    """Pictures as a scan records them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.roots = {root_id(path): path}

    def add(self, name: str, data: bytes) -> ImageRecord:
        file = self.path / name
        file.write_bytes(data)
        return image_record(self.path, file, decode(data, []), "g1/0", "encoder")

    def data(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def tier(self, data: bytes, record: ImageRecord, score: float) -> str | None:
        return (
            self.tiers()
            .of(Fingerprint.of(decode(data, [])), data, [ScoredImage(record.id, score, record)])
            .get(record.id)
        )

    def tiers(self) -> Tiers:
        return Tiers(self.roots)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_same_bytes_are_exact_even_where_the_file_is_gone(folder: Folder) -> None:
    data = encoded(scene(1))
    record = folder.add("a.jpg", data)
    (folder.path / "a.jpg").unlink()
    assert folder.tier(data, record, 0.1) == "exact"


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_the_same_pixels_in_another_file_are_exact(folder: Folder, form: str) -> None:
    data = encoded(scene(1))
    with Image.open(folder.path / folder.add("a.jpg", data).path) as image:
        other = encoded(image.convert("RGB"), form)
    record = folder.add("b", other)
    assert folder.tier(data, record, 0.99) == "exact"
    (folder.path / "b").unlink()
    assert folder.tier(data, record, 0.99) == "near"


def test_one_pixel_off_is_near(folder: Folder) -> None:
    image = scene(1)
    record = folder.add("a.png", encoded(image, "PNG"))
    image.putpixel((3, 3), (0, 0, 0))
    assert folder.tier(encoded(image, "PNG"), record, 0.999) == "near"


def test_two_files_are_decoded_in_full_only_where_nothing_else_speaks_against_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = folder.add("a.jpg", encoded(scene(1)))
    decoded = []
    whole = small_pictures.seen
    monkeypatch.setattr(
        small_pictures,
        "seen",
        lambda *a: (decoded.append(1), whole(*a))[1],
    )
    assert folder.tier(encoded(cropped(scene(1))), record, 0.8) == "near"
    assert not decoded
    assert folder.tier(encoded(scene(1), quality=60), record, 0.98) == "near"
    assert decoded == [1, 1]


def test_what_a_hash_would_miss_is_near(folder: Folder) -> None:
    record = folder.add("a.jpg", encoded(scene(4)))
    data = encoded(stamped(cropped(scene(4))))
    assert hash_distance(decode(data, []).phash, record.phash) > 10
    assert folder.tier(data, record, 0.7) == "near"


def test_a_file_that_has_changed_is_not_looked_at(folder: Folder) -> None:
    record = folder.add("a.jpg", encoded(scene(4)))
    data = encoded(stamped(cropped(scene(4))))
    (folder.path / "a.jpg").write_bytes(encoded(scene(5)))
    assert folder.tier(data, record, 0.7) == "similar"
    assert Tiers({}).of(Fingerprint.of(decode(data, [])), data, []) == {}


def test_without_files_hash_and_score_decide_together(folder: Folder) -> None:
    record = folder.add("a.jpg", encoded(scene(1)))
    data = encoded(scene(1), quality=60)
    query = Fingerprint.of(decode(data, []))
    unknown = Tiers({})

    def tier(score: float) -> str | None:
        return unknown.of(query, data, [ScoredImage("a", score, record)]).get("a")

    assert (tier(0.95), tier(0.7), tier(0.5)) == ("near", "similar", None)


def test_hashes_of_different_versions_are_never_compared() -> None:
    zeros, ones = "0" * 16, "f" * 16
    assert bits_apart({1: zeros}, {2: zeros}) is None
    assert bits_apart({1: zeros}, {1: ones, 2: zeros}) == 64
    assert bits_apart({1: zeros, 2: ones}, {1: zeros, 2: zeros}) == 64  # the newest counts
    assert bits_apart({}, {2: zeros}) is None


def test_a_point_of_before_is_compared_with_the_querys_old_hash(folder: Folder) -> None:
    profile = rgb_profile("swapped")
    image = converted(scene(1), profile)
    data = encoded(image, icc_profile=profile)
    query = decode(data, [])
    assert hash_distance(query.phash, query.old_phash) > TierRule().unseen_bits
    record = folder.add("a.jpg", encoded(image, quality=95, icc_profile=profile))
    before = replace(record, phash=decode(folder.data("a.jpg"), []).old_phash, phash_version=1)
    (folder.path / "a.jpg").unlink()
    for one in (record, before):
        assert folder.tier(data, one, 0.95) == "near"
    of_other_version = replace(before, phash_version=3)
    assert folder.tier(data, of_other_version, 0.95) == "similar"


def test_a_point_with_a_hash_of_another_version_is_looked_at_for_its_vector(
    folder: Folder,
) -> None:
    record = replace(folder.add("a.jpg", encoded(scene(1))), phash_version=3)
    data = encoded(scene(1), quality=60)
    assert folder.tier(data, record, 0.95) == "near"
    assert folder.tier(data, record, 0.45) is None
    assert folder.tier(encoded(scene(1), "PNG"), record, 0.95) == "near"
    same = replace(folder.add("a.png", encoded(scene(1), "PNG")), phash_version=3)
    assert folder.tier(encoded(scene(1), "TIFF"), same, 0.95) == "exact"


def test_others_are_similar_by_score_alone(folder: Folder) -> None:
    record = folder.add("a.jpg", encoded(scene(1)))
    data = encoded(scene(2))
    assert folder.tier(data, record, 0.95) == "similar"
    assert folder.tier(data, record, 0.59) is None
    results = [ScoredImage("a", 0.7, None), ScoredImage("b", 0.2, None)]
    query = Fingerprint.of(decode(data, []))
    assert folder.tiers().of(query, None, results) == {"a": "similar"}
    assert folder.tiers().alike(results) == {"a": "similar"}


def test_an_indexed_image_may_ask(folder: Folder) -> None:
    query = folder.add("a.jpg", encoded(scene(1)))
    other = folder.add("b.jpg", encoded(cropped(scene(1))))
    results = [ScoredImage(query.id, 1.0, query), ScoredImage(other.id, 0.7, other)]
    assert folder.tiers().of_indexed(query, results) == {query.id: "exact", other.id: "near"}


def test_no_more_files_are_read_than_the_rule_allows(folder: Folder) -> None:
    data = encoded(scene(1), quality=60)
    records = [folder.add(f"{n}.jpg", encoded(scene(1), quality=90 - n)) for n in range(3)]
    tiers = Tiers(folder.roots, TierRule(most_checked=1, unseen_bits=-1))
    results = [ScoredImage(record.id, 0.9, record) for record in records]
    found = tiers.of(Fingerprint.of(decode(data, [])), data, results)
    assert list(found.values()) == ["near", "similar", "similar"]


def test_a_close_hash_and_score_back_a_picture_of_which_fewer_blocks_agree(folder: Folder) -> None:
    record = folder.add("a.jpg", encoded(scene(1)))
    data = encoded(scene(1), quality=60)
    query = Fingerprint.of(decode(data, []))
    strict = Tiers(folder.roots, TierRule(agreement=1.5))
    lonely = Tiers(folder.roots, TierRule(agreement=1.5, backed_bits=-1))
    results = [ScoredImage("a", 0.9, record)]
    assert strict.of(query, data, results) == {"a": "near"}
    assert lonely.of(query, data, results) == {"a": "similar"}
    assert strict.of(query, data, [ScoredImage("a", 0.79, record)]) == {"a": "similar"}


def test_the_rule_follows_the_collection() -> None:
    import numpy as np

    def curve(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.array(values, np.float32)

    one = curve(1.0)
    calibration = Calibration(
        *(100, *[one] * 7),
        pair_shares=curve(0.0, 0.98, 1.0),
        pair_scores=curve(-0.5, 0.2, 0.6),
        nearest_scores=curve(*(value / 10 for value in range(11))),
    )
    rule = TierRule.calibrated(calibration)
    assert rule.similar_score == pytest.approx(0.4)  # half-way between 98 and 100 %
    assert rule.grouped_score == pytest.approx(0.9)
    assert TierRule.calibrated(None) == TierRule()


def test_far_hashes_need_a_higher_score() -> None:
    rule = TierRule()
    bits = np.array([16, 16, 17, 17, 32, 33])
    scores = np.array([0.39, 0.41, 0.49, 0.51, 0.51, 0.99], np.float32)
    assert rule.is_candidate(bits, scores).tolist() == [False, True, False, True, True, False]
