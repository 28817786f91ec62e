"""Weights of a scaled network: a larger one computes what the smaller one did, a smaller one takes leading parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgenas.arch import Architecture
from edgenas.arch.zoo import published
from edgenas.nn import build
from edgenas.scale import compound, inherit


def trained(network: Architecture, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights with statistics of their own."""
    draw = np.random.default_rng(seed)
    weights = build(network).weights()
    for name, value in weights.items():
        if ".norm." in name:
            value[:] = draw.uniform(0.5, 1.5, value.shape)
    return weights


def logits(network: Architecture, weights: dict[str, np.ndarray], images: torch.Tensor) -> torch.Tensor:
    module = build(network)
    module.load_weights(weights)
    with torch.no_grad():
        return module.eval()(images)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_lite0"])
def test_a_deeper_and_wider_network_begins_as_the_network_it_was_made_of(name: str) -> None:
    before = compound(replace(published(name), resolution=64), alpha=1.0, beta=1.0, gamma=1.0, phi=0)
    after = compound(before, alpha=1.5, beta=1.2, gamma=1.0, phi=1)
    weights, images = trained(before), torch.randn(1, 3, 64, 64)
    found, origin = inherit(before, weights, after, build(after).weights())
    assert origin.identity and origin.leading and not origin.fresh
    wanted = logits(before, weights, images)
    torch.testing.assert_close(logits(after, found, images), wanted, rtol=0, atol=1e-4 * wanted.abs().max().item())
    assert f"{len(origin.identity)} blocks added as identities" in str(origin)


def test_a_smaller_network_takes_leading_channels_and_blocks() -> None:
    before = published("mobilenet_v3_small")
    after = compound(before, alpha=1.3, beta=1.3, gamma=1.0, phi=-1)
    weights = trained(before)
    found, origin = inherit(before, weights, after, build(after).weights())
    assert not origin.fresh and not origin.identity and origin.leading
    for name, value in found.items():
        part = weights[name][tuple(slice(size) for size in value.shape)]
        assert np.array_equal(value, part), name


def test_the_same_network_takes_all() -> None:
    network = published("mobilenet_v3_small")
    weights = trained(network)
    found, origin = inherit(network, weights, network, build(network).weights())
    assert all(np.array_equal(found[name], value) for name, value in weights.items())
    assert not (origin.leading or origin.identity or origin.fresh)
