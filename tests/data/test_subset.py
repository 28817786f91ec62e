"""Fewer images than all: every class in proportion, whatever the order of the images."""

import numpy as np
import pytest

from edgenas.data import ArraySplit, Split, fit_preprocessing
from edgenas.data.subset import chosen_images, some_of

CLASSES, EACH = 100, 20


def in_order(kind: str = "array") -> Split:
    """A split as folders list it: one class after the other; the pixels are the class."""
    labels = np.repeat(np.arange(CLASSES), EACH)
    images = np.broadcast_to(labels[:, None, None, None].astype(np.uint8), (len(labels), 2, 2, 1)).copy()
    return ArraySplit(images=images, labels=labels)


@pytest.mark.parametrize(("limit", "low", "high"), [(512, 5, 6), (100, 1, 1), (1999, 19, 20)])
def test_every_class_is_there_in_proportion(limit: int, low: int, high: int) -> None:
    part = some_of(in_order(), limit)
    counts = np.bincount(part.labels, minlength=CLASSES)
    assert len(part) == limit
    assert (counts.min(), counts.max()) == (low, high)
    assert np.array_equal(part.read(np.arange(limit))[:, 0, 0, 0], part.labels)


def test_rare_classes_are_there_too_and_the_shares_are_kept() -> None:
    labels = np.repeat(np.arange(3), [900, 90, 10])
    chosen = chosen_images(ArraySplit(images=np.zeros((1000, 1, 1, 1), np.uint8), labels=labels), 100)
    assert np.bincount(labels[chosen]).tolist() == [90, 9, 1]


def test_a_limit_below_the_number_of_classes_draws_classes_from_the_whole_range() -> None:
    labels = some_of(in_order(), 30).labels
    assert len(set(labels.tolist())) == 30
    assert labels.max() > 60


def test_periodic_labels_are_not_missed_by_a_stride() -> None:
    labels = np.tile(np.arange(10), 100)
    chosen = chosen_images(ArraySplit(images=np.zeros((1000, 1, 1, 1), np.uint8), labels=labels), 100)
    assert np.bincount(labels[chosen]).tolist() == [10] * 10


def test_all_images_are_the_split_itself_and_the_choice_repeats() -> None:
    split = in_order()
    assert some_of(split, None) is split and some_of(split, len(split)) is split
    assert np.array_equal(chosen_images(split, 300), chosen_images(split, 300))
    assert not np.array_equal(chosen_images(split, 300, seed=1), chosen_images(split, 300))


def test_statistics_of_a_split_that_is_decoded_while_training_are_of_every_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgenas.data.network_input.SAMPLE", 100)

    class Decoded:
        def __init__(self) -> None:
            self.seen: list[int] = []
            self.labels = np.repeat(np.arange(CLASSES), EACH)
            self.shape = (2, 2, 1)

        def __len__(self) -> int:
            return len(self.labels)

        def read(self, indices: np.ndarray) -> np.ndarray:
            self.seen += self.labels[indices].tolist()
            return np.zeros((len(indices), 2, 2, 1), np.uint8)

    split = Decoded()
    fit_preprocessing(split)
    assert sorted(split.seen) == list(range(CLASSES))
