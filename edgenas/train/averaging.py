"""The exponential average of the weights, and norm statistics that fit it."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class WeightAverage:
    """An exponential moving average of a model's parameters, kept in a second model.

    The norm statistics of the average are not the average of the statistics: `recalibrate` has to estimate them before
    the second model is used. Until then they are those of the trained model.

    Attributes:
        model: Holds the averaged weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model)
        self.model.requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after optimizer step `step` (from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        # All at once: one parameter after the other would be bound by the host on a GPU.
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)

    @torch.no_grad()
    def copy_buffers(self, model: nn.Module) -> None:
        """Take the trained model's buffers over as they are."""
        for mean, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            mean.copy_(buffer)


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
