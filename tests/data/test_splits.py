"""Stratified splits as laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.data.splits import stratified_split, stratified_subset
from edgenas.errors import DataError

label_lists = st.lists(st.integers(2, 40), min_size=2, max_size=8).map(
    lambda counts: np.random.default_rng(sum(counts)).permutation(np.repeat(np.arange(len(counts)), counts))
)
NAMES = tuple("abcdefgh")


def split(labels: np.ndarray, fraction: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    names = NAMES[: labels.max() + 1]
    return stratified_split(labels, fraction, classes=names, what="x", rng=np.random.default_rng(seed))


@settings(deadline=None)
@given(labels=label_lists, fraction=st.floats(0.01, 0.99))
def test_a_split_shares_no_image_and_loses_none(labels: np.ndarray, fraction: float) -> None:
    kept, aside = split(labels, fraction)
    assert sorted([*kept, *aside]) == list(range(len(labels)))


@settings(deadline=None)
@given(labels=label_lists, fraction=st.floats(0.01, 0.99))
def test_every_class_is_on_both_sides_in_about_its_share(labels: np.ndarray, fraction: float) -> None:
    kept, aside = split(labels, fraction)
    counts = np.bincount(labels)
    taken = np.bincount(labels[aside], minlength=len(counts))
    assert (taken >= 1).all()
    assert (np.bincount(labels[kept], minlength=len(counts)) >= 1).all()
    wanted = round(fraction * len(labels))
    if len(counts) <= wanted <= len(labels) - len(counts):
        assert taken.sum() == wanted
    assert (np.abs(taken - fraction * counts) <= len(counts) + 1).all()


def test_the_seed_alone_decides_a_split() -> None:
    labels = np.repeat(np.arange(3), 50)
    assert np.array_equal(split(labels, 0.3, seed=1)[1], split(labels, 0.3, seed=1)[1])
    assert not np.array_equal(split(labels, 0.3, seed=1)[1], split(labels, 0.3, seed=2)[1])


def test_a_class_with_one_image_is_named() -> None:
    with pytest.raises(DataError, match="class 'b' has too few images"):
        split(np.array([0, 0, 0, 1]), 0.5)


@settings(deadline=None)
@given(labels=label_lists, limit=st.integers(8, 60))
def test_a_subset_has_the_wanted_size_and_every_class(labels: np.ndarray, limit: int) -> None:
    chosen = stratified_subset(labels, limit, rng=np.random.default_rng(0))
    assert len(chosen) == min(limit, len(labels)) == len(set(chosen))
    assert set(labels[chosen]) == set(labels)


def test_a_limit_below_the_number_of_classes_is_refused() -> None:
    with pytest.raises(DataError, match="limit"):
        stratified_subset(np.arange(5), 4, rng=np.random.default_rng(0))
