"""Exponential moving averages of weights and of numbers, and norm statistics that fit averaged weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class WeightAverage:
    """An exponential moving average of parameters.

    Attributes:
        values: The average, one tensor for each parameter. They start as the parameters and change in place.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        """Start with the parameters as they are.

        Args:
            parameters: Of a model; copied.
            decay: Share of the old average that a step keeps. It rises to this value as (1 + t) / (10 + t), so that
                short trainings average too.
        """
        self.values = [parameter.detach().clone() for parameter in parameters]
        self._decay = decay

    @torch.no_grad()
    def update(self, parameters: Iterable[Tensor], step: int) -> None:
        """Take in the weights after optimizer step `step` (from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        # All parameters in one call: one call each would make the host the bottleneck of a GPU.
        torch._foreach_lerp_(self.values, list(parameters), 1 - decay)

    @torch.no_grad()
    def copy_to(self, parameters: Sequence[Tensor]) -> None:
        """Write the average into parameters."""
        torch._foreach_copy_(list(parameters), self.values)

    @contextmanager
    def in_place_of(self, parameters: Sequence[Tensor]) -> Iterator[None]:
        """Replace the parameters by the average within a block. Nothing is copied."""
        self._swap(parameters)
        try:
            yield
        finally:
            self._swap(parameters)

    def _swap(self, parameters: Sequence[Tensor]) -> None:
        for mean, parameter in zip(self.values, parameters, strict=True):
            mean.data, parameter.data = parameter.data, mean.data


@torch.no_grad()
def recalibrate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Estimate the statistics of all batch norms anew, as plain means over batches.

    Args:
        model: Changed in place; everything but its batch norms runs as in evaluation (no dropout).
        batches: Training images (B, C, H, W), normalised; two images a batch at least.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return
    training = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.train()
    for number, images in enumerate(batches, 1):
        for norm in norms:
            # With weight 1/k for batch k the running value is the mean of all batches so far.
            norm.momentum = 1 / number
        model(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in training:
        module.training = mode
