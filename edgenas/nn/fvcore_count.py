"""fvcore's own count of a network: a second opinion beside the closed forms of `edgenas.cost`."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from edgenas.arch import Architecture
from edgenas.nn.module import build


@dataclass(frozen=True, slots=True, kw_only=True)
class FvcoreCount:
    """What fvcore reports for one image.

    Attributes:
        by_operator: Its flops (multiply-accumulates) by operator: conv, linear, batch_norm, adaptive_avg_pool2d, ...
        unsupported: Operators that it saw and does not count, with how often.
    """

    by_operator: dict[str, int]
    unsupported: dict[str, int]

    @property
    def conv_and_linear(self) -> int:
        """Convolutions and fully connected layers alone: what edgenas calls MACs."""
        return sum(self.by_operator.get(name, 0) for name in ("conv", "linear", "addmm", "matmul"))


def count_with_fvcore(architecture: Architecture) -> FvcoreCount:
    """Count a network with fvcore's `FlopCountAnalysis` (about 0.1 s for a network of the zoo).

    Args:
        architecture: Any architecture; its module is built with random weights.
    """
    from fvcore.nn import FlopCountAnalysis

    module = build(architecture).eval()
    size = (1, architecture.in_channels, architecture.resolution, architecture.resolution)
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level, disabled = logger.level, logger.disabled
    try:
        # It warns of every operator that it does not count; we return them instead.
        logger.disabled = True
        analysis = FlopCountAnalysis(module, torch.zeros(size)).unsupported_ops_warnings(False)
        by_operator = {name: int(value) for name, value in analysis.by_operator().items()}
        return FvcoreCount(by_operator=by_operator, unsupported=dict(analysis.unsupported_ops()))
    finally:
        logger.level, logger.disabled = level, disabled
