"""Validation images in two parts for the judge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.data import ArraySplit, LazySplit
from edgenas.errors import DataError, InputError
from edgenas.evaluate import part_validation
from tests.supernet.samples import blobs

DATA = blobs(per_class=24)


def numbered(split: ArraySplit) -> ArraySplit:
    """The split with images that say which they are."""
    images = np.zeros_like(split.images)
    images[:, 0, 0, 0] = np.arange(len(images))
    return replace(split, images=images)


def test_estimators_and_the_truth_share_no_image_and_neither_sees_test_images() -> None:
    data = replace(DATA, validation=numbered(DATA.validation))  # type: ignore[arg-type]
    seen, truth = part_validation(data, seed=3)
    ids = [set(part.validation.read(np.arange(len(part.validation)))[:, 0, 0, 0].tolist()) for part in (seen, truth)]
    assert not ids[0] & ids[1]
    assert ids[0] | ids[1] == set(range(len(data.validation)))
    assert len(seen.test) == len(truth.test) == 0
    assert seen.train is data.train and truth.train is data.train
    assert len({data.digest, seen.digest, truth.digest}) == 3


def test_both_parts_keep_the_shares_of_the_classes() -> None:
    seen, truth = part_validation(DATA, truth_share=0.75)
    assert np.bincount(truth.validation.labels).tolist() == [9, 9, 9, 9]
    assert np.bincount(seen.validation.labels).tolist() == [3, 3, 3, 3]


def test_the_same_seed_parts_alike_and_another_otherwise() -> None:
    assert part_validation(DATA, seed=1)[1].digest == part_validation(DATA, seed=1)[1].digest
    assert part_validation(DATA, seed=1)[1].digest != part_validation(DATA, seed=2)[1].digest


def test_images_that_do_not_lie_in_memory_are_parted_without_reading_them(tmp_path: Path) -> None:
    def refuse(index: int) -> np.ndarray:
        raise AssertionError(f"read {index}")

    whole = DATA.validation
    lazy = LazySplit(prepare=refuse, indices=np.arange(len(whole)), labels=whole.labels, shape=whole.shape)
    seen, truth = part_validation(replace(DATA, validation=lazy))
    assert len(seen.validation) + len(truth.validation) == len(whole)
    np.save(tmp_path / "images.npy", whole.read(np.arange(len(whole))))
    mapped = ArraySplit(images=np.load(tmp_path / "images.npy", mmap_mode="r"), labels=whole.labels)
    part = part_validation(replace(DATA, validation=mapped))[1].validation
    expected = part_validation(DATA)[1].validation
    assert part.shape == expected.shape and np.array_equal(part.labels, expected.labels)
    assert np.array_equal(part.read(np.array([0, 5])), expected.read(np.array([0, 5])))


def test_impossible_parts_are_refused() -> None:
    with pytest.raises(InputError, match="impossible share"):
        part_validation(DATA, truth_share=1.0)
    single = replace(DATA.validation, images=DATA.validation.images[:4], labels=np.arange(4))  # type: ignore[attr-defined,type-var]
    with pytest.raises(DataError, match="the truth"):
        part_validation(replace(DATA, validation=single))
