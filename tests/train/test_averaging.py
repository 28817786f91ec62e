"""Averaged weights and re-estimated norm statistics."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgenas.train import WeightAverage, recalibrate


def test_the_average_follows_its_formula() -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    average = WeightAverage(model.parameters(), 0.5)
    expected = 0.0
    for step in range(20):
        model.weight.data.fill_(float(step))
        average.update(model.parameters(), step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        assert average.values[0].item() == pytest.approx(expected, rel=1e-5)
    assert not average.values[0].requires_grad


def test_weights_are_the_average_for_a_while_and_then_themselves_again() -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    average = WeightAverage(model.parameters(), 0.5)
    model.weight.data.fill_(10.0)
    average.update(model.parameters(), 0)
    mean = average.values[0].item()
    with average.in_place_of(list(model.parameters())):
        assert model.weight.item() == mean != 10
    assert model.weight.item() == 10 and average.values[0].item() == mean
    average.copy_to(list(model.parameters()))
    assert model.weight.item() == mean


def test_recalibrated_statistics_are_the_means_over_the_batches() -> None:
    norm = nn.BatchNorm2d(3)
    norm.running_mean.fill_(50.0)  # type: ignore[union-attr]
    batches = [torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(k)) * k + k for k in range(1, 5)]
    recalibrate(norm, batches)
    mean = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    variance = torch.stack([batch.var((0, 2, 3)) for batch in batches]).mean(0)
    assert torch.allclose(norm.running_mean, mean, atol=1e-4)  # type: ignore[arg-type]
    assert torch.allclose(norm.running_var, variance, rtol=1e-4)  # type: ignore[arg-type]
    assert norm.momentum == 0.1


def test_a_norm_without_a_batch_counter_is_recalibrated_too() -> None:
    norm = nn.BatchNorm2d(2)
    norm.num_batches_tracked = None
    images = torch.randn(8, 2, 4, 4) + 3
    recalibrate(norm, [images])
    assert torch.allclose(norm.running_mean, images.mean((0, 2, 3)), atol=1e-5)  # type: ignore[arg-type]


def test_recalibration_leaves_weights_and_modes_alone(make_model: Callable[..., nn.Module]) -> None:
    model = make_model()
    model.train()
    model[1].eval()  # type: ignore[index]
    before = [parameter.clone() for parameter in model.parameters()]
    modes = [module.training for module in model.modules()]
    recalibrate(model, [torch.randn(8, 1, 8, 8)])
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
