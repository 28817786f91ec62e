"""The width multiplier as NetAdapt's layers see it: every layer narrowed by one factor, weights carried over."""

from __future__ import annotations

from collections.abc import Mapping

from edgenas.arch.architecture import Architecture
from edgenas.scale.channels import WeightArray
from edgenas.scale.compound import channel_divisor
from edgenas.scale.layers import layers, narrowed
from edgenas.scale.netadapt import Proposal


def uniform(
    architecture: Architecture, weights: Mapping[str, WeightArray], factor: float
) -> tuple[Architecture, dict[str, WeightArray]]:
    """Narrow every layer by one factor and keep the weights of the channels with the largest norm.

    Args:
        architecture: The network.
        weights: Its weights.
        factor: In (0, 1]; channels are rounded to the network's own multiple.

    Raises:
        WeightsError: The weights are not the network's.
    """
    step, network, carried = channel_divisor(architecture), architecture, dict(weights)
    for number, original in enumerate(layers(architecture)):
        layer = layers(network)[number]
        wanted = min(layer.channels, max(step, round(original.channels * factor / step) * step))
        if wanted >= layer.channels:
            continue
        proposal = Proposal(layer=layer, channels=wanted, architecture=narrowed(network, layer, wanted), latency_ms=0.0)
        network, carried = proposal.architecture, proposal.weights(network, carried)
    return network, carried
