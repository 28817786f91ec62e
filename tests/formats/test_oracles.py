"""Float files beside other people's exporters: the same logits on the same images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import oracles
from edgenas import nn
from edgenas.arch import Architecture, lower
from edgenas.arch.zoo import published
from edgenas.deploy.runners import open_file
from edgenas.formats import encode, random_weights

# Squeeze-excite with hard-swish; plain inverted residuals with relu6; universal inverted bottlenecks and fused blocks.
NETWORKS = ("mobilenet_v3_small", "efficientnet_lite0", "mobilenet_v4_conv_small")


def case(name: str) -> tuple[Architecture, dict[str, np.ndarray], torch.nn.Module, np.ndarray]:
    architecture = published(name)
    weights = random_weights(lower(architecture), np.random.default_rng(7))
    module = nn.build(architecture)
    module.load_weights(weights)
    shape = (1, architecture.in_channels, architecture.resolution, architecture.resolution)
    return architecture, weights, module.eval(), np.random.default_rng(8).standard_normal(shape).astype(np.float32)


def compare(ours: bytes, theirs: bytes, file_format: str, image: np.ndarray) -> float:
    expected = open_file(theirs, file_format)(image)
    return float(np.abs(open_file(ours, file_format)(image) - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_file_gives_the_logits_of_torchs_exporter(name: str) -> None:
    architecture, weights, module, image = case(name)
    ours = encode(lower(architecture), weights)
    theirs = oracles.torch_onnx(module, image)
    assert compare(ours, theirs, "onnx", image) < 1e-5
    # Folding leaves no more to store than they have.
    assert len(ours) < 1.02 * len(theirs)


@pytest.mark.oracle
@pytest.mark.parametrize("name", NETWORKS)
def test_tflite_file_gives_the_logits_of_litert_torch(name: str) -> None:
    architecture, weights, module, image = case(name)
    ours = encode(lower(architecture), weights, file_format="tflite")
    theirs = oracles.litert_tflite(module, image)
    assert compare(ours, theirs, "tflite", image) < 1e-5
    assert len(ours) < 1.02 * len(theirs)
