"""The space around a network: the network is its largest member, whatever the network."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from edgenas.arch import Architecture, Block
from edgenas.arch.zoo import NAMES, published
from edgenas.errors import SpaceError
from edgenas.space import SearchSpace, around, dump, load, population_costs, read, smaller_resolutions
from tests.arch.strategies import architectures


def _require_largest(space: SearchSpace, network: Architecture) -> None:
    assert space.decode(space.largest()).digest == network.digest
    assert (space.encode(network) == space.largest()).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_the_zoo_is_the_largest_member_of_the_space_around_it(name: str) -> None:
    space = around(published(name))
    _require_largest(space, published(name))
    costs = population_costs(space).macs_and_params(space.sample(300, np.random.default_rng(0)))
    assert (costs <= population_costs(space).macs_and_params(space.largest()[None])).all()
    assert space.size > 10**6
    assert {name.rpartition(".")[2] for name in space.gene_names} >= {"resolution", "width", "depth", "expansion"}


@settings(max_examples=60, deadline=None)
@given(architectures())
def test_any_network_is_the_largest_member_of_the_space_around_it(network: Architecture) -> None:
    kinds = {(block.se.activation, block.se.gate) for block in network.blocks() if block.se}
    wider = any(block.se.channels > block.expanded for block in network.blocks() if block.se)
    if len(kinds) > 1 or wider:
        with pytest.raises(SpaceError, match="of several kinds|more channels than it has there"):
            around(network)
        return
    space = around(network)
    _require_largest(space, network)
    again = read(dump(space))
    assert (again, again.digest) == (space, space.digest)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v3_small", "mobilenet_v4_conv_small", "fbnet_c"])
def test_members_round_trip_and_are_parts_of_the_network(name: str) -> None:
    network = published(name)
    space = around(network)
    for genes in space.canonical(space.sample(30, np.random.default_rng(1))):
        member = space.decode(genes)
        assert (space.encode(member) == genes).all()
        for block, whole in zip(member.blocks(), _whole(space, space.slots(genes)), strict=True):
            assert (block.kind, block.expand, block.stride, block.activation) == (
                whole.kind, whole.expand, whole.stride, whole.activation,
            )  # fmt: skip
            assert block.expanded <= whole.expanded and block.kernel <= whole.kernel
            assert (block.start_kernel > 0) == (whole.start_kernel > 0)



def _whole(space: SearchSpace, slots: Sequence[tuple[int, int]]) -> list[Block]:
    largest = space.decode(space.largest())
    return [largest.stages[stage].blocks[index] for stage, index in slots]


def test_a_block_is_removable_only_with_its_addition() -> None:
    network = published("efficientnet_lite0")
    assert [stage.depth for stage in around(network).definition.stages] == [
        (1,), (1, 2), (1, 2), (1, 2, 3), (1, 2, 3), (1, 2, 3, 4), (1,),
    ]  # fmt: skip
    stages = list(network.stages)
    stages[3] = replace(
        stages[3], blocks=(*stages[3].blocks[:2], replace(stages[3].blocks[2], skip=False))
    )
    bare = replace(network, stages=tuple(stages))
    _require_largest(around(bare), bare)
    assert [stage.depth for stage in around(bare).definition.stages][3:5] == [(1, 2), (1,)]


def test_kernels_and_expansions_stay_at_and_below_the_networks_own() -> None:
    space = around(published("mobilenet_v3_small"))
    stage = space.definition.stages[4]
    assert stage.out == (96,)
    assert stage.choices("expansion", position=0) == (144, 192, 288)
    assert stage.choices("expansion", position=1) == stage.choices("expansion", position=2) == (288, 384, 576)
    assert stage.choices("kernel", position=0) == (3, 5)


def test_a_space_takes_the_resolutions_and_widths_that_are_given() -> None:
    network = published("mobilenet_v2")
    space = around(network, resolutions=[128, 224], widths=[0.5])
    assert space.definition.resolution == (128, 224) and space.definition.width == (0.5, 1.0)
    assert smaller_resolutions(96) == (64, 80, 96) and smaller_resolutions(8) == (8,)
    with pytest.raises(SpaceError, match=r"a resolution .* at most 224"):
        around(network, resolutions=[256])
    with pytest.raises(SpaceError, match=r"a width .* at most 1"):
        around(network, widths=[1.25])


def test_the_digests_of_spaces_without_the_new_keys_stay() -> None:
    assert load("ofa_mobilenet_v3").digest == OFA
    assert read(dump(load("ofa_mobilenet_v3"))).digest == OFA


OFA = "9a0da4d487c738850c1bfec95d7ff3e5"


def test_later_blocks_take_only_choices_of_blocks_that_there_are() -> None:
    text = """
name: few
resolution: 8
divisor: 4
stem: {channels: 8}
head: {conv: 8}
stages: [{out: 8, depth: DEPTH, kind: KIND, later: [{kernel: [3, 5]}, {kernel: 5, activation: relu6}]}]
"""
    space = read(text.replace("DEPTH", "[1, 3, 4]").replace("KIND", "mbconv"))
    assert space.gene_names == ("stages.0.depth", "stages.0.1.kernel")
    assert space.size == 1 + 2 + 2
    deepest = space.decode(space.largest())
    assert [block.kernel for block in deepest.blocks()] == [3, 5, 5, 3]
    with pytest.raises(SpaceError, match=r"later: more blocks than"):
        read(text.replace("DEPTH", "[1, 2]").replace("KIND", "mbconv"))
    with pytest.raises(SpaceError, match=r"later: not together with skip"):
        read(text.replace("DEPTH", "3").replace("KIND", "[mbconv, skip]"))


def test_a_space_without_a_network_says_which_choice_is_missing() -> None:
    network = published("efficientnet_lite0")
    text = dump(around(network)).replace("- 3\n  - 5\n", "- 3\n", 1)
    with pytest.raises(SpaceError, match=r"the blocks from number 3 \(missing is kernel 5 \(there 3\)"):
        read(text).encode(network)
