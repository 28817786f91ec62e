"""Normalisation that ships with a model."""

import json

import numpy as np
import pytest

from edgenas.data import ArraySplit, Preprocessing, fit_preprocessing
from edgenas.errors import DataError


def split(images: np.ndarray) -> ArraySplit:
    return ArraySplit(images=images, labels=np.zeros(len(images), np.int64))


def test_training_images_end_up_with_mean_0_and_deviation_1(rng: np.random.Generator) -> None:
    images = rng.integers(0, 200, (50, 9, 9, 3), dtype=np.uint8)
    images[..., 1] //= 2
    out = fit_preprocessing(split(images)).apply(images)
    assert out.shape == (50, 3, 9, 9)
    assert out.dtype == np.float32
    assert np.allclose(out.mean((0, 2, 3)), 0, atol=1e-4)
    assert np.allclose(out.std((0, 2, 3)), 1, atol=1e-4)


def test_a_constant_channel_stays_finite() -> None:
    preprocessing = fit_preprocessing(split(np.full((5, 4, 4, 1), 9, np.uint8)))
    assert np.isfinite(preprocessing.apply(np.zeros((1, 4, 4, 1), np.uint8))).all()


def test_it_survives_json(rng: np.random.Generator) -> None:
    preprocessing = fit_preprocessing(split(rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)), resolution=32)
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


def test_images_of_another_size_and_kind_are_brought_to_the_input(rng: np.random.Generator) -> None:
    preprocessing = Preprocessing(resolution=8, mean=(0.5,), std=(0.25,), channel_order="grey")
    out = preprocessing.apply(rng.integers(0, 256, (2, 20, 30, 4), dtype=np.uint8))
    assert out.shape == (2, 1, 8, 8)
    assert out.min() >= -2 and out.max() <= 2


def test_values_that_disagree_are_refused() -> None:
    with pytest.raises(DataError, match="RGB with 1 means"):
        Preprocessing(resolution=8, mean=(0.5,), std=(0.5,))
    with pytest.raises(DataError, match="cannot read preprocessing"):
        Preprocessing.from_dict({"resolution": 8})
