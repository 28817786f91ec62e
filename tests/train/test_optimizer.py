"""Which weights decay, and the optimizer's state as tensors."""

import pytest
import torch
from torch import nn

from edgenas.train import TrainSettings
from edgenas.train.optimizer import load_state_tensors, make_optimizer, state_tensors


def model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize("name", ["adamw", "sgd", "rmsprop"])
def test_norms_and_biases_do_not_decay(name: str) -> None:
    module = model()
    optimizer = make_optimizer(module, TrainSettings(optimizer=name, weight_decay=0.5))  # type: ignore[arg-type]
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    every = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert every == {id(p) for p in module.parameters()}
    assert decayed == {id(module[0].weight), id(module[3].weight)}  # type: ignore[index]


def test_frozen_weights_are_left_out() -> None:
    module = model()
    module[0].requires_grad_(False)  # type: ignore[index]
    optimizer = make_optimizer(module, TrainSettings())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


@pytest.mark.parametrize("name", ["adamw", "sgd", "rmsprop"])
def test_the_state_goes_through_tensors_unchanged(name: str) -> None:
    settings = TrainSettings(optimizer=name)  # type: ignore[arg-type]
    first, second = model(), model()
    second.load_state_dict(first.state_dict())
    one, two = make_optimizer(first, settings), make_optimizer(second, settings)
    images = torch.rand(4, 1, 3, 3)

    def step(module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        module(images).square().sum().backward()
        optimizer.step()

    step(first, one)
    second.load_state_dict(first.state_dict())
    load_state_tensors(two, {name: value.clone() for name, value in state_tensors(one).items()})
    step(first, one)
    step(second, two)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_steps_as_tensorflow_writes_it(momentum: float) -> None:
    weight = nn.Parameter(torch.tensor([[0.5, -2.0]]))
    holder = nn.Module()
    holder.weight = weight
    settings = TrainSettings(optimizer="rmsprop", learning_rate=0.1, momentum=momentum, weight_decay=0.01)
    optimizer = make_optimizer(holder, settings)
    expected, mean_square, velocity = weight.detach().numpy().astype(float), 1.0, 0.0
    for slope in (1.0, -3.0, 0.2):
        weight.grad = torch.full((1, 2), slope)
        optimizer.step()
        gradient = slope + 0.01 * expected
        mean_square = 0.9 * mean_square + 0.1 * gradient**2
        velocity = momentum * velocity + gradient / (mean_square**0.5 + 1e-3)
        expected = expected - 0.1 * velocity
    assert weight.detach().numpy() == pytest.approx(expected, rel=1e-5)
