"""The registry of optimisers. Knows no torch, so that configurations stay light."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgenas.registry import Registry

OPTIMIZERS: Registry[Callable[[Any, Any], Any]] = Registry(
    "train.optimizer",
    group="edgenas.optimizers",
    entries={"adamw": "edgenas.train.optimizer:adamw", "sgd": "edgenas.train.optimizer:sgd"},
    check=callable,
    expected="a function from groups of parameters and TrainSettings to a torch.optim.Optimizer",
)
"""Functions from groups of parameters and `TrainSettings` to a `torch.optim.Optimizer`.

The state of an optimiser must consist of tensors, so that trainings can be resumed. Entry points of the group
`edgenas.optimizers` add to it.
"""
