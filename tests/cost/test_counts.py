import numpy as np
import pytest
from hypothesis import given, settings

from edgenas.arch import lower
from edgenas.arch.zoo import published
from edgenas.cost import macs, params
from edgenas.nn import build
from edgenas.nn.fvcore_count import count_with_fvcore
from edgenas.space import PRESETS, load, with_task
from tests.arch.strategies import architectures

# The larger EfficientNets are counted by the zoo's own test; fvcore runs the network, which takes minutes there.
COUNTED = (
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "mnasnet_a1", "mnasnet_b1", "mnasnet_small",
    "efficientnet_b0", "efficientnet_lite0", "fbnet_c", "single_path_nas", "proxyless_mobile",
    "mobilenet_v4_conv_small", "mobilenet_v4_conv_medium",
)  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_macs_equal_what_fvcore_counts_as_convolutions_and_linear_layers(name: str) -> None:
    assert macs(lower(published(name))) == count_with_fvcore(published(name)).conv_and_linear


@settings(max_examples=25, deadline=None)
@given(architectures())
def test_counts_of_any_network_equal_those_of_fvcore_and_torch(architecture) -> None:
    graph = lower(architecture)
    assert macs(graph) == count_with_fvcore(architecture).conv_and_linear
    assert params(graph) == sum(parameter.numel() for parameter in build(architecture).parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", [f"efficientnet_b{variant}" for variant in range(1, 8)])
def test_the_larger_efficientnets_too(name: str) -> None:
    assert macs(lower(published(name))) == count_with_fvcore(published(name)).conv_and_linear


@pytest.mark.parametrize("preset", PRESETS)
def test_random_members_of_every_preset_are_counted_as_fvcore_and_torch_do(preset: str) -> None:
    space = load(preset)
    if max(space.definition.resolution) > 96:
        # fvcore runs the network: small images keep that short and leave every layer in place.
        space = with_task(space, resolutions=[64, 96])
    for genes in space.sample(4, np.random.default_rng(7)):
        architecture = space.decode(genes)
        graph = lower(architecture)
        assert macs(graph) == count_with_fvcore(architecture).conv_and_linear
        assert params(graph) == sum(parameter.numel() for parameter in build(architecture).parameters())
