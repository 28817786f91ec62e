"""Initial weights as in the papers of the MobileNet and EfficientNet families."""

from __future__ import annotations

import math

import torch
from torch import nn

CLASSIFIER_STD = 0.01


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights of a module's convolutions and fully connected layers anew.

    Convolutions: normal with variance 2 / fan_out, fan_out = kernel^2 * out / groups (He 2015, eq. 14; the
    division by groups as in EfficientNet's code, so that a depthwise filter sees its own fan). Fully connected:
    normal with standard deviation 0.01 (MobileNetV2 and V3). Biases 0, batch norm the identity.

    Args:
        module: Changed in place.
        generator: Source of all randomness, on the CPU.
    """
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            fan_out = child.kernel_size[0] * child.kernel_size[1] * child.out_channels // child.groups
            _normal(child.weight, math.sqrt(2 / fan_out), generator)
        elif isinstance(child, nn.Linear):
            _normal(child.weight, CLASSIFIER_STD, generator)
        elif isinstance(child, nn.BatchNorm2d):
            child.reset_running_stats()
            nn.init.ones_(child.weight)
        bias = getattr(child, "bias", None)
        if isinstance(bias, nn.Parameter):
            nn.init.zeros_(bias)


def _normal(weight: torch.Tensor, std: float, generator: torch.Generator) -> None:
    # Drawn in the default layout, so that a channels_last module starts from the same numbers.
    weight.copy_(torch.randn(weight.shape, generator=generator) * std)
