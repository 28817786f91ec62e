"""Whole populations against the one-by-one way, to the unit."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from edgenas.arch import lower
from edgenas.cost import macs, params, peak_activation_bytes
from edgenas.errors import SpaceError, TableError
from edgenas.space import PRESETS, AdditiveTable, BlockOps, SearchSpace, distinct_parts, load, population_costs
from tests.space.spaces import small_spaces


def assert_equal_to_one_by_one(space: SearchSpace, codes: np.ndarray) -> None:
    costs = population_costs(space)
    both, peaks = costs.macs_and_params(codes), costs.peak_activation_bytes(codes)
    np.testing.assert_array_equal(costs.macs(codes), both[:, 0])
    np.testing.assert_array_equal(costs.params(codes), both[:, 1])
    for code, (found_macs, found_params), peak in zip(codes, both, peaks, strict=True):
        graph = lower(space.decode(code))
        assert (macs(graph), params(graph)) == (found_macs, found_params)
        assert peak_activation_bytes(graph) == peak


@pytest.mark.parametrize("name", PRESETS)
def test_costs_of_a_population_equal_those_of_each_network(name: str) -> None:
    space = load(name)
    assert_equal_to_one_by_one(space, space.sample(40, np.random.default_rng(0)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(space=small_spaces(), seed=st.integers(0, 2**32 - 1))
def test_costs_hold_in_any_space_and_for_codes_that_are_not_canonical(space: SearchSpace, seed: int) -> None:
    assert_equal_to_one_by_one(space, space.sample(12, np.random.default_rng(seed)))


def test_populations_longer_than_a_chunk_are_costed_whole() -> None:
    space = load("tiny")
    codes = space.sample(10_001, np.random.default_rng(0))
    whole = population_costs(space).macs(codes)
    parts = [population_costs(space).macs(codes[start : start + 1000]) for start in range(0, len(codes), 1000)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert population_costs(space).macs(codes[:0]).shape == (0,)


def node_counts(ops: BlockOps) -> Sequence[int]:
    kinds = [op.kind for op, _ in ops]
    return [kinds.count(kind) for kind in ("conv", "act", "add", "mul", "pool", "fc")]


@pytest.mark.parametrize("name", ["tiny", "mobilenet_v3", "mobilenet_v4"])
def test_any_integer_cost_of_blocks_adds_up(name: str) -> None:
    space = load(name)
    codes = space.sample(50, np.random.default_rng(4))
    totals = AdditiveTable.build(space, node_counts).total(codes)
    for code, total in zip(codes, totals, strict=True):
        pairs = tuple(lower(space.decode(code)).with_inputs())[1:]
        assert total.tolist() == list(node_counts(pairs))


def test_every_block_is_costed_once() -> None:
    space, calls = load("ofa_mobilenet_v3"), []
    AdditiveTable.build(space, lambda ops: (calls.append(ops) or 1,))
    assert len(calls) == len(list(distinct_parts(space)))


def test_what_a_block_cost_raises_comes_through() -> None:
    def missing(ops: BlockOps) -> Sequence[int]:
        raise TableError("no entry for this block")

    with pytest.raises(TableError, match="no entry"):
        AdditiveTable.build(load("tiny"), missing)


@pytest.mark.parametrize("costs", [(), (1.5,), (True,)])
def test_costs_that_are_no_integers_are_refused(costs: tuple[int, ...]) -> None:
    with pytest.raises(SpaceError, match="fixed number of integers"):
        AdditiveTable.build(load("tiny"), lambda ops: costs)


def test_codes_outside_the_space_are_refused() -> None:
    space = load("tiny")
    outside = space.sample(5, np.random.default_rng(0))
    outside[3, 2] = space.cardinalities[2]
    with pytest.raises(SpaceError, match=r"code 3 .*gene 2 .*got 2; allowed: 0 to 1"):
        population_costs(space).macs(outside)
    with pytest.raises(SpaceError, match="unknown precision"):
        population_costs(space).peak_activation_bytes(outside[:1], "int4")


@pytest.mark.parametrize("name", PRESETS)
def test_features_are_those_of_the_network_and_not_of_its_code(name: str) -> None:
    space = load(name)
    codes = space.sample(300, np.random.default_rng(0))
    features = space.features(codes)
    assert features.shape == (300, len(space.feature_names)) and np.isfinite(features).all()
    np.testing.assert_array_equal(features, space.features(space.canonical(codes)))


def test_features_count_what_their_names_say() -> None:
    space = load("ofa_mobilenet_v3")
    code = space.sample(1, np.random.default_rng(9))
    row = dict(zip(space.feature_names, space.features(code)[0], strict=True))
    network = space.decode(code[0])
    stage, channels = network.stages[3], network.stages[2].blocks[-1].out_channels
    ratios = [block.expanded / (channels if place == 0 else 80) for place, block in enumerate(stage.blocks)]
    kernels = [block.kernel for block in stage.blocks]
    assert row["stages.3.depth"] == len(kernels) and row["stages.3.kernel"] == sum(kernels)
    assert row["stages.3.expansion"] == pytest.approx(sum(ratios))
    assert row["stages.3.kernel_expansion"] == pytest.approx(np.dot(kernels, ratios))
    assert row["log_macs"] == pytest.approx(np.log(macs(lower(network))))
