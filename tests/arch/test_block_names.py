"""Names of blocks, operations and weights: the same for equal networks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenas.arch import Architecture, Stage, lower
from edgenas.arch.block_names import block_names, current_names
from edgenas.arch.zoo import published
from edgenas.scale import layers, narrowed
from edgenas.space import PRESETS, load
from tests.arch.strategies import architectures


def regrouped(architecture: Architecture, starts: set[int]) -> Architecture:
    """The same blocks, with a new stage at each number of `starts`."""
    stages: list[list[object]] = []
    for number, block in enumerate(architecture.blocks()):
        if not stages or number in starts:
            stages.append([])
        stages[-1].append(block)
    return replace(architecture, stages=tuple(Stage(blocks=tuple(stage)) for stage in stages))


regroupings = st.builds(regrouped, st.shared(architectures(), key="net"), st.sets(st.integers(1, 8)))


@given(st.shared(architectures(), key="net"), regroupings)
def test_equal_networks_have_equal_graphs_whatever_their_stages(network: Architecture, other: Architecture) -> None:
    assert network.digest == other.digest
    assert lower(network) == lower(other)


@given(regroupings)
def test_arrays_named_after_the_grouping_get_the_names_of_their_blocks(network: Architecture) -> None:
    former = [f"stages.{s}.{b}" for s, stage in enumerate(network.stages) for b in range(len(stage.blocks))]
    arrays = {f"{name}.project.weight": number for number, name in enumerate(former)} | {"stem.conv.weight": -1}
    expected = {f"{name}.project.weight": number for number, name in enumerate(block_names(network))}
    found = current_names(network, arrays)
    assert found == expected | {"stem.conv.weight": -1}
    assert list(found.values()) == list(arrays.values()), "the order stays"
    assert current_names(network, found) == found, "present names stay"


@pytest.mark.parametrize("name", PRESETS)
def test_the_stages_of_the_shipped_spaces_are_those_of_the_names(name: str) -> None:
    space = load(name)
    for genes in space.sample(20, np.random.default_rng(0)):
        network = space.decode(genes)
        former = tuple(f"stages.{s}.{b}" for s, stage in enumerate(network.stages) for b in range(len(stage.blocks)))
        assert block_names(network) == former, "files that were written before keep their names"


def test_a_stage_begins_with_each_block_without_a_skip() -> None:
    network = published("mobilenet_v3_small")
    skips = [block.skip for block in network.blocks()]
    assert [name.endswith(".0") for name in block_names(network)] == [not skip for skip in skips]
    assert block_names(network)[:4] == ("stages.0.0", "stages.1.0", "stages.1.1", "stages.2.0")


def test_narrowing_a_layer_changes_no_name() -> None:
    network = published("mobilenet_v2")
    for layer in layers(network):
        assert block_names(narrowed(network, layer, layer.channels // 2)) == block_names(network)
