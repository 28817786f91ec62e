"""Judging a model."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from edgenas.data import ImageData, fit_preprocessing
from edgenas.train import evaluate, predict_logits
from edgenas.train.result import standard_error


def test_accuracy_is_the_share_of_right_predictions(data: ImageData, make_model: Callable[..., nn.Module]) -> None:
    model, preprocessing = make_model(), fit_preprocessing(data.train)
    found = evaluate(model, data.test, preprocessing, batch_size=16)
    logits = predict_logits(model, data.test, preprocessing, batch_size=90)
    assert logits.shape == (90, 3) and logits.dtype == np.float32
    assert np.array_equal(found.predictions, logits.argmax(1))
    assert found.value == (found.predictions == data.test.labels).mean()
    assert found.count == 90


def test_judging_uses_evaluation_mode_and_restores_the_models_own(
    data: ImageData, make_model: Callable[..., nn.Module]
) -> None:
    model, preprocessing = make_model(dropout=0.9), fit_preprocessing(data.train)
    model.train()
    statistics = model[1].running_mean.clone()  # type: ignore[index]
    first = predict_logits(model, data.test, preprocessing)
    assert np.array_equal(first, predict_logits(model, data.test, preprocessing))
    assert model.training and model[8].training  # type: ignore[index]
    assert torch.equal(model[1].running_mean, statistics)  # type: ignore[index]


def test_the_standard_error_is_binomial_and_never_0() -> None:
    assert standard_error(500, 1000) == pytest.approx((0.25 / 1000) ** 0.5, rel=0.01)
    assert 0 < standard_error(1000, 1000) < standard_error(500, 1000)
