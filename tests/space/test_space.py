"""The laws of search spaces."""

from __future__ import annotations

import dataclasses
from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from edgenas.arch import lower
from edgenas.arch.zoo import published
from edgenas.cost import macs
from edgenas.errors import SpaceError
from edgenas.space import PRESETS, SearchSpace, load, population_costs
from tests.space.spaces import small_spaces

presets = pytest.mark.parametrize("name", PRESETS)
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def every_code(space: SearchSpace) -> np.ndarray:
    return np.array(list(product(*map(range, space.cardinalities))), dtype=np.int64)


@RELAXED
@given(space=small_spaces())
def test_canonical_codes_are_equal_exactly_where_digests_are_and_size_counts_them(space: SearchSpace) -> None:
    codes = every_code(space)
    canonical = space.canonical(codes)
    by_digest: dict[str, set[tuple[int, ...]]] = {}
    for code, canon in zip(codes, canonical, strict=True):
        by_digest.setdefault(space.decode(code).digest, set()).add(tuple(canon))
    assert all(len(found) == 1 for found in by_digest.values())
    distinct = {tuple(code) for code in canonical}
    assert len(distinct) == len(by_digest) == space.size
    assert len(codes) == space.raw_size


@RELAXED
@given(space=small_spaces(), seed=st.integers(0, 2**32 - 1))
def test_encode_and_decode_invert_each_other_on_canonical_codes(space: SearchSpace, seed: int) -> None:
    codes = space.sample(20, np.random.default_rng(seed))
    canonical = space.canonical(codes)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    for code, canon in zip(codes, canonical, strict=True):
        network = space.decode(code)
        assert space.decode(canon).digest == network.digest
        np.testing.assert_array_equal(space.encode(network), canon)


@presets
def test_presets_keep_the_laws_on_random_members(name: str) -> None:
    space = load(name)
    codes = space.sample(60, np.random.default_rng(0))
    canonical = space.canonical(codes)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    for code, canon in zip(codes, canonical, strict=True):
        network = space.decode(code)
        np.testing.assert_array_equal(space.encode(network), canon)
        slots = space.slots(code)
        assert slots == tuple((s, b) for s, stage in enumerate(network.stages) for b in range(len(stage.blocks)))
        assert set(slots) <= set(space.grid)


@presets
def test_more_of_an_ordered_choice_never_lowers_macs(name: str) -> None:
    space = load(name)
    costs = population_costs(space)
    codes = space.sample(300, np.random.default_rng(1))
    base = costs.macs(codes)
    for gene, label in enumerate(space.gene_names):
        if label.endswith((".kind", ".activation")):
            continue
        more = codes.copy()
        more[:, gene] = np.minimum(more[:, gene] + 1, space.cardinalities[gene] - 1)
        assert (costs.macs(more) >= base).all(), label


@presets
def test_largest_and_smallest_bound_the_macs_of_all(name: str) -> None:
    space = load(name)
    costs = population_costs(space)
    low, high = costs.macs(np.stack([space.smallest(), space.largest()]))
    found = costs.macs(space.sample(2000, np.random.default_rng(2)))
    assert low <= found.min() and found.max() <= high


def test_deeper_by_one_adds_a_block_with_macs() -> None:
    space = load("ofa_mobilenet_v3")
    code = space.smallest()
    deeper = code.copy()
    deeper[space.gene_names.index("stages.3.depth")] += 1
    assert macs(lower(space.decode(deeper))) > macs(lower(space.decode(code)))


def test_sampling_is_seeded_inside_and_reaches_every_choice() -> None:
    space = load("mnasnet")
    codes = space.sample(500, np.random.default_rng(5))
    np.testing.assert_array_equal(codes, space.sample(500, np.random.default_rng(5)))
    np.testing.assert_array_equal(codes.max(axis=0) + 1, space.cardinalities)
    np.testing.assert_array_equal(codes.min(axis=0), 0)


@pytest.mark.parametrize(
    ("genes", "words"),
    [
        (np.zeros((2, 3), dtype=np.int64), "shape"),
        (np.zeros((2, 19)), "float64"),
        (np.full((1, 19), 7), "width"),
        (np.full((1, 19), -1), "-1"),
    ],
)
def test_codes_of_another_space_are_refused(genes: np.ndarray, words: str) -> None:
    with pytest.raises(SpaceError, match=words):
        load("tiny").canonical(genes)


def test_a_foreign_network_is_refused_with_what_does_not_fit() -> None:
    space = load("ofa_mobilenet_v3")
    with pytest.raises(SpaceError, match="stem and head"):
        space.encode(published("efficientnet_b0"))
    network = space.decode(space.smallest())
    with pytest.raises(SpaceError, match="pixels.*got 100"):
        space.encode(dataclasses.replace(network, resolution=100))
    stage = network.stages[2]
    wide = dataclasses.replace(stage.blocks[1], kernel=9)
    stages = (*network.stages[:2], dataclasses.replace(stage, blocks=(stage.blocks[0], wide)), *network.stages[3:])
    with pytest.raises(SpaceError, match="blocks from number 4.*kernel=9"):
        space.encode(dataclasses.replace(network, stages=stages))
    assert not space.contains(dataclasses.replace(network, classes=7))


def test_the_grouping_of_blocks_into_stages_does_not_matter_to_encode() -> None:
    space = load("tiny")
    network = space.decode(space.largest())
    one = dataclasses.replace(network.stages[0], blocks=tuple(network.blocks()))
    np.testing.assert_array_equal(space.encode(dataclasses.replace(network, stages=(one,))), space.largest())


def test_describe_names_the_choices_that_count() -> None:
    space = load("tiny")
    told = space.describe(space.smallest())
    assert told["width"] == 0.5 and told["stages.1.depth"] == 1
    assert "stages.1.0.kernel" in told and "stages.1.1.kernel" not in told


def test_blocks_at_lists_exactly_what_members_have_there() -> None:
    space = load("tiny")
    listed = {(s, i): set(space.blocks_at(s, i)) for s, i in space.grid}
    seen: dict[tuple[int, int], set[object]] = {place: set() for place in space.grid}
    for code in space.sample(600, np.random.default_rng(3)):
        network = space.decode(code)
        channels = network.stem.out_channels
        for place, block in zip(space.slots(code), network.blocks(), strict=True):
            seen[place].add((channels, block))
            channels = block.out_channels
    assert seen == listed


def test_the_digest_is_of_the_choices_and_not_of_the_name() -> None:
    space = load("tiny")
    renamed = SearchSpace(definition=dataclasses.replace(space.definition, name="other"))
    wider = SearchSpace(definition=dataclasses.replace(space.definition, classes=11))
    assert space.digest == renamed.digest != wider.digest


def test_a_space_of_one_network_has_one_gene_of_one_value() -> None:
    definition = load("tiny").definition
    stage = dataclasses.replace(definition.stages[0], depth=(1,), kernel=(3,), expansion=(2.0,))
    space = SearchSpace(definition=dataclasses.replace(definition, width=(1.0,), stages=(stage,)))
    assert space.cardinalities == (1,) and space.size == space.raw_size == 1
    np.testing.assert_array_equal(space.encode(space.decode([0])), [0])
