"""Estimates of a network's memory before anything is allocated."""

from __future__ import annotations

from edgenas.arch.architecture import Architecture
from edgenas.arch.lower import lower
from edgenas.cost import params, peak_activation_bytes
from edgenas.errors import BudgetError, explain

_FLOAT_BYTES = 4


def memory_bytes(architecture: Architecture, *, batch: int = 1, training: bool = False) -> int:
    """Estimate the memory of a network in fp32, bytes: a lower bound of what a framework takes.

    For inference the weights and the peak of activations. For training the weights with their gradients and two
    moments, and every activation of the forward pass, which the backward pass reads.

    Args:
        architecture: The network.
        batch: Images at once.
        training: Whether it is trained.
    """
    graph = lower(architecture)
    weights = params(graph) * _FLOAT_BYTES
    if not training:
        return weights + batch * peak_activation_bytes(graph)
    return 4 * weights + batch * sum(op.shape.elements for op in graph.ops) * _FLOAT_BYTES


def require_memory(
    architecture: Architecture, *, width: float, depth: float, resolution: int, limit_bytes: int
) -> None:
    """Refuse a scaling whose network needs more memory than there is, from the network before scaling.

    Weights grow with depth * width^2 and peak activations with width * pixels, up to rounding.

    Args:
        architecture: The network before scaling.
        width, depth: Factors.
        resolution: Height and width of the scaled input, pixels.
        limit_bytes: What there is.

    Raises:
        BudgetError: It needs more; the message holds the estimate.
    """
    graph = lower(architecture)
    weights = params(graph) * _FLOAT_BYTES * max(1.0, depth) * width**2
    activations = peak_activation_bytes(graph) * width * (resolution / architecture.resolution) ** 2
    needed = weights + activations
    if not needed <= limit_bytes:
        mib = 1 << 20
        raise BudgetError(
            explain(
                "the scaled network does not fit into memory",
                got=f"an estimate of {needed / mib:.0f} MiB ({weights / mib:.0f} of weights, {activations / mib:.0f} "
                "of activations for one image)",
                allowed=f"at most {limit_bytes / mib:.0f} MiB",
                remedy="Choose a smaller phi or a larger limit.",
            )
        )
