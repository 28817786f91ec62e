"""Layers, proposals and the weights that they keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgenas.arch import Architecture, lower
from edgenas.arch.zoo import published
from edgenas.cost import macs
from edgenas.errors import ArchitectureError, BudgetError, InputError, WeightsError
from edgenas.formats import random_weights
from edgenas.nn import build
from edgenas.scale import choose, kept_channels, layers, narrowed, narrowed_weights, propose, require_reachable
from edgenas.space import load, with_task

NETWORKS = ["mobilenet_v3_small", "mnasnet_a1", "mobilenet_v4_conv_small", "mnasnet_small", "mobilenet_v4_conv_medium"]


def latency_ms(network: Architecture) -> float:
    graph = lower(network)
    return macs(graph) / 3e7 + 0.01 * len(graph.ops)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_narrows_to_a_valid_network_that_keeps_all_other_channels(name: str) -> None:
    network = published(name)
    for layer in layers(network):
        channels = layer.channels // 2
        smaller = lower(narrowed(network, layer, channels)).by_name()
        for op in lower(network).ops:
            if op.name in layer.producers:
                assert smaller[op.name].shape.channels == channels
            elif op.kind == "conv" and not op.depthwise and not op.name.endswith(".excite"):
                assert smaller[op.name].shape.channels == op.shape.channels
            assert smaller[op.name].shape[1:] == op.shape[1:]


def test_blocks_that_add_to_each_other_share_one_bottleneck() -> None:
    found = {layer.name: layer for layer in layers(published("mobilenet_v3_large")) if layer.kind == "bottleneck"}
    assert found["stem"].producers == ("stem.conv", "stages.0.0.project")
    assert found["stages.3.0"].producers == tuple(f"stages.3.{place}.project" for place in range(4))


@pytest.mark.parametrize("channels", [0, 17, -3])
def test_a_layer_cannot_be_widened_or_emptied(channels: int) -> None:
    network = published("mobilenet_v3_large")
    with pytest.raises(ArchitectureError, match="1 to 16"):
        narrowed(network, layers(network)[0], channels)


@pytest.mark.parametrize("name", NETWORKS)
def test_proposals_save_delta_with_one_layer_at_multiples_of_the_divisor(name: str) -> None:
    network = published(name)
    base = latency_ms(network)
    proposals = propose(network, latency_ms, 0.02 * base)
    assert len(proposals) > 10
    for proposal in proposals:
        assert proposal.latency_ms == latency_ms(proposal.architecture) <= 0.98 * base
        assert proposal.channels % 8 == 0
        wider = narrowed(network, proposal.layer, min(proposal.channels + 8, proposal.layer.channels))
        assert latency_ms(wider) > 0.98 * base


def test_a_delta_that_no_layer_can_save_gives_no_proposal() -> None:
    network = published("mobilenet_v3_small")
    assert propose(network, latency_ms, 0.9 * latency_ms(network)) == ()
    with pytest.raises(InputError, match="positive"):
        propose(network, latency_ms, 0.0)


def silence(
    weights: dict[str, np.ndarray], network: Architecture, producers: tuple[str, ...], kept: np.ndarray
) -> None:
    """Let the channels that will be dropped carry zeros, in the producers and in the depthwise layers behind them."""
    graph = lower(network)
    dropped = set(producers)
    for op, sources in graph.with_inputs():
        if op.depthwise and sources[0].name.removesuffix(".act") in dropped:
            dropped.add(op.name)
    gone = np.setdiff1d(np.arange(graph.by_name()[producers[0]].shape.channels), kept)
    for name in dropped:
        parts = ("norm.weight", "norm.bias") if graph.by_name()[name].norm else ("weight", "bias")
        for part in parts:
            weights[f"{name}.{part}"][gone] = 0


@pytest.mark.parametrize(
    ("preset", "place"), [("mobilenet_v3", 0), ("mobilenet_v4", 0), ("edge_lite", 0), ("tiny", -1)]
)
def test_a_narrowed_network_computes_what_the_network_with_silent_channels_did(preset: str, place: int) -> None:
    space = with_task(load(preset), classes=4, resolutions=[32])
    network = space.decode(space.smallest() if place == 0 else space.largest())
    graph = lower(network)
    images = torch.randn(2, network.in_channels, 32, 32, generator=torch.Generator().manual_seed(0))
    for layer in layers(network):
        weights = {name: value.copy() for name, value in random_weights(graph, np.random.default_rng(1)).items()}
        kept = kept_channels(graph, weights, layer, max(1, layer.channels // 2))
        silence(weights, network, layer.producers, kept)
        smaller = narrowed(network, layer, len(kept))
        taken = narrowed_weights(graph, weights, {producer: kept for producer in layer.producers})
        outputs = []
        for architecture, values in ((network, weights), (smaller, taken)):
            module = build(architecture).eval()
            module.load_weights(values)
            with torch.no_grad():
                outputs.append(module(images))
        scale = float(outputs[0].abs().max())
        assert float((outputs[0] - outputs[1]).abs().max()) <= 1e-5 * max(scale, 1e-3), layer.name


def test_the_channels_of_largest_folded_norm_stay() -> None:
    network = published("mobilenet_v3_small")
    graph = lower(network)
    layer = next(layer for layer in layers(network) if layer.name == "stages.2.1.expand")
    weights = random_weights(graph, np.random.default_rng(0))
    weights = {name: value.copy() for name, value in weights.items()}
    weights["stages.2.1.expand.norm.weight"][:] = 0.01
    strong = np.array([3, 50, 120, 239])
    weights["stages.2.1.expand.norm.weight"][strong] = 5.0
    np.testing.assert_array_equal(kept_channels(graph, weights, layer, 4), strong)


def test_weights_of_another_network_are_refused() -> None:
    network = published("mobilenet_v3_small")
    graph = lower(network)
    weights = random_weights(lower(published("mobilenet_v2")), np.random.default_rng(0))
    with pytest.raises(WeightsError, match="not this network's"):
        narrowed_weights(graph, weights, {})


def test_a_proposal_takes_the_weights_of_its_network() -> None:
    network = published("mobilenet_v3_small")
    weights = random_weights(lower(network), np.random.default_rng(0))
    for proposal in propose(network, latency_ms, 0.05 * latency_ms(network)):
        wanted = random_weights(lower(proposal.architecture), np.random.default_rng(0))
        taken = proposal.weights(network, weights)
        assert {name: value.shape for name, value in taken.items()} == {n: value.shape for n, value in wanted.items()}


def test_the_proposal_with_the_best_ratio_of_accuracy_to_latency_is_chosen() -> None:
    network = published("mobilenet_v3_small")
    base = latency_ms(network)
    proposals = propose(network, latency_ms, 0.02 * base)[:3]
    losses = [0.02 * (base - proposal.latency_ms) for proposal in proposals]
    losses[1] /= 4
    accuracies = [0.8 - loss for loss in losses]
    assert choose(proposals, accuracies, accuracy=0.8, latency_ms=base) == 1
    with pytest.raises(InputError, match="one accuracy for each"):
        choose(proposals, accuracies[:2], accuracy=0.8, latency_ms=base)
    with pytest.raises(InputError, match="not faster"):
        choose(proposals, accuracies, accuracy=0.8, latency_ms=0.1)


def test_a_target_beyond_all_narrowing_is_refused() -> None:
    network = published("mobilenet_v3_small")
    require_reachable(network, latency_ms, 0.7 * latency_ms(network))
    with pytest.raises(BudgetError, match="at least"):
        require_reachable(network, latency_ms, 0.1)
