"""Optimizers with weight decay where it belongs, and their state as named tensors."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from edgenas.train.registry import OPTIMIZERS
from edgenas.train.settings import TrainSettings

Groups: TypeAlias = list[dict[str, Any]]
"""Parameters with their weight decay, as torch takes them."""

RMSPROP_DECAY = 0.9
# Of the code of EfficientNet (tensorflow/tpu), inside the root there; torch adds it outside.
RMSPROP_EPSILON = 1e-3


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """Return the optimiser that the settings name, on the parameters of a model.

    Vectors (norms and biases) are not decayed: decay would only disturb the scale of the network.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: Groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    made: torch.optim.Optimizer = OPTIMIZERS[settings.optimizer](groups, settings)
    return made


def adamw(groups: Groups, settings: TrainSettings) -> torch.optim.Optimizer:
    """Return AdamW (Loshchilov 2019)."""
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def sgd(groups: Groups, settings: TrainSettings) -> torch.optim.Optimizer:
    """Return SGD, with Nesterov momentum where there is momentum."""
    nesterov = settings.momentum > 0
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=nesterov)


def rmsprop(groups: Groups, settings: TrainSettings) -> torch.optim.Optimizer:
    """Return RMSprop with momentum as MobileNetV3 and EfficientNet use it (Tan 2019, section 5.2: decay 0.9).

    As in TensorFlow the mean square begins at one: from zero the first steps would be three times too long.
    """
    made = torch.optim.RMSprop(
        groups, lr=settings.learning_rate, alpha=RMSPROP_DECAY, eps=RMSPROP_EPSILON, momentum=settings.momentum
    )
    for group in made.param_groups:
        for parameter in group["params"]:
            state = {"step": torch.zeros(()), "square_avg": torch.ones_like(parameter)}
            if settings.momentum:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            made.state[parameter] = state
    return made


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = value


def state_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state as tensors named NUMBER.NAME, numbered as torch numbers parameters."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, entries in state.items()
        for name, value in entries.items()
        if isinstance(value, Tensor)
    }


def load_state_tensors(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore what `state_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
