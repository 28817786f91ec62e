"""Units: what is fused into what, and keys that say everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenas.arch import lower
from edgenas.arch.zoo import NAMES, published
from edgenas.cost import macs
from edgenas.errors import TableError
from edgenas.latency import graph_units, units
from edgenas.latency.keys import parse_key
from edgenas.latency.units import by_block
from edgenas.space import load


@pytest.mark.parametrize("name", NAMES)
def test_units_of_a_published_network_hold_all_its_arithmetic(name: str) -> None:
    graph = lower(published(name))
    assert sum(unit.macs for unit, _ in graph_units(graph)) == macs(graph)


@pytest.mark.parametrize("name", NAMES)
def test_every_key_reads_back_as_its_unit(name: str) -> None:
    for unit, _ in graph_units(lower(published(name))):
        assert parse_key(unit.key) == unit


def test_units_of_blocks_are_the_units_of_the_whole_graph() -> None:
    graph = lower(published("mobilenet_v3_large"))
    whole = [unit for unit, _ in units(tuple(graph.with_inputs()))]
    assert whole == [unit for unit, _ in graph_units(graph)]
    assert len(by_block(graph)) == 17


def test_a_mobilenet_block_fuses_activation_and_residual() -> None:
    keys = [unit.key for unit, name in graph_units(lower(published("mobilenet_v2"))) if name.startswith("stages.1.1.")]
    assert keys == [
        "pointwise s1 24x56x56 144x56x56 relu6",
        "depthwise k3 s1 144x56x56 144x56x56 relu6",
        "pointwise s1 144x56x56 24x56x56 residual",
    ]


def test_squeeze_excite_marks_what_stands_around_it() -> None:
    found = dict(
        (name, unit.key) for unit, name in graph_units(lower(published("mobilenet_v3_large"))) if "stages.2.1" in name
    )
    assert found["stages.2.1.depthwise"] == "depthwise k5 s1 120x28x28 120x28x28 relu pooled"
    assert found["stages.2.1.squeeze"] == "fc 120x1x1 32x1x1 relu"
    assert found["stages.2.1.excite"] == "fc 32x1x1 120x1x1 hard_sigmoid"
    assert found["stages.2.1.scale"] == "mul 120x28x28 120x28x28"
    assert found["stages.2.1.project"] == "pointwise s1 120x28x28 40x28x28 residual gated"


@given(seed=st.integers(0, 2**31), name=st.sampled_from(["tiny", "ofa_mobilenet_v3", "mobilenet_v4", "edge_lite"]))
def test_every_operation_of_a_random_member_lies_in_exactly_one_unit(seed: int, name: str) -> None:
    space = load(name)
    graph = lower(space.decode(space.sample(1, np.random.default_rng(seed))[0]))
    found = graph_units(graph)
    fused = sum(bool(unit.activation) and unit.kind != "act" for unit, _ in found)
    fused += sum(unit.residual for unit, _ in found)
    assert len(found) + fused == len(graph.ops) - 1


@pytest.mark.parametrize(
    "key", ["", "conv", "warp k3 s1 1x2x3 1x2x3", "conv k3 s1 1x2 1x2x3", "pool 2x2x2 2x1x1 extra word"]
)
def test_a_text_that_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(TableError, match="not a unit's key"):
        parse_key(key)
