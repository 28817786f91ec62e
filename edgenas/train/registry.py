"""The registries of optimisers and losses. Know no torch, so that configurations stay light."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgenas.data.augment.settings import without_newer_defaults as augment_without_newer_defaults
from edgenas.registry import Registry

OPTIMIZERS: Registry[Callable[[Any, Any], Any]] = Registry(
    "train.optimizer",
    group="edgenas.optimizers",
    entries={name: f"edgenas.train.optimizer:{name}" for name in ("adamw", "sgd", "rmsprop")},
    check=callable,
    expected="a function from groups of parameters and TrainSettings to a torch.optim.Optimizer",
)
"""Functions from groups of parameters and `TrainSettings` to a `torch.optim.Optimizer`.

The state of an optimiser must consist of tensors, so that trainings can be resumed. Entry points of the group
`edgenas.optimizers` add to it.
"""

LOSSES: Registry[Callable[[Any, Any, Any], Any]] = Registry(
    "train.loss",
    group="edgenas.losses",
    entries={
        "cross_entropy": "edgenas.train.losses:cross_entropy",
        "binary_cross_entropy": "edgenas.train.losses:binary_cross_entropy",
    },
    check=callable,
    expected="a function from logits (B, K), targets and TrainSettings to a scalar",
)
"""Functions from logits (B, K), targets and `TrainSettings` to the mean loss of a batch, a scalar tensor.

Targets are class numbers (B,), or shares (B, K) where images were mixed. They do not include a teacher's part of the
loss. Entry points of the group `edgenas.losses` add to it.
"""

USUAL_LOSS = "cross_entropy"


def without_newer_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings without newer keys at their defaults, so that earlier finished work stays valid.

    Args:
        values: Of `TrainSettings` or of a section of a configuration, as plain values.
    """
    usual = {("loss", USUAL_LOSS), ("schedule", "cosine")}
    # A recipe is named; what it fills in is compared.
    kept = {key: value for key, value in values.items() if key != "recipe"}
    kept = {key: value for key, value in kept.items() if not isinstance(value, str) or (key, value) not in usual}
    if "augment" in kept:
        kept["augment"] = augment_without_newer_defaults(kept["augment"])
    return kept
