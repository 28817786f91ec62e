"""Learned transformations from a depthwise kernel to the next smaller one (Cai 2020, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

SMALLEST = 3


def smaller_kernels(kernel: int) -> range:
    """Return the sizes that a kernel shrinks to: 5 and 3 for 7."""
    return range(kernel - 2, SMALLEST - 1, -2)


def shrink(weight: Tensor, kernel: int, changes: Mapping[int, Tensor]) -> Tensor:
    """Make a smaller kernel: step by step the centre, transformed.

    Args:
        weight: (C, 1, K, K).
        kernel: Wanted size, of the same parity as K and at most K.
        changes: By size k, what is added to the identity (k * k, k * k); shared by all channels. Zero is the plain
            centre.
    """
    while weight.shape[2] > kernel:
        centre = weight[:, :, 1:-1, 1:-1]
        change = changes.get(centre.shape[2])
        if change is not None:
            flat = centre.flatten(1)
            centre = (flat + functional.linear(flat, change)).view(centre.shape)
        weight = centre
    return weight
