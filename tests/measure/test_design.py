"""Which networks are measured."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.errors import InputError
from edgenas.latency import graph_units
from edgenas.measure.table.design import covering_design, held_out, space_units
from edgenas.space import load, population_costs


def test_a_design_covers_the_units_of_a_small_space() -> None:
    space = load("tiny")
    design = covering_design(space, 40, np.random.default_rng(0))
    assert design.covered == design.total == len(space_units(space))
    assert design.genes.shape == (40, len(space.cardinalities))


def test_a_design_counts_what_it_covers_truly() -> None:
    space = load("tiny")
    design = covering_design(space, 6, np.random.default_rng(1))
    seen = {unit.key for code in design.genes for unit, _ in graph_units(lower(space.decode(code)))}
    assert design.covered == len(seen) < design.total
    assert seen <= set(space_units(space))


def test_covering_networks_cover_more_than_random_ones() -> None:
    space = load("ofa_mobilenet_v3")
    design = covering_design(space, 20, np.random.default_rng(0))
    random = space.canonical(space.sample(20, np.random.default_rng(0)))
    seen = {unit.key for code in random for unit, _ in graph_units(lower(space.decode(code)))}
    assert design.covered > 1.1 * len(seen)


def test_networks_of_a_design_are_distinct_and_repeat_with_the_seed() -> None:
    space = load("tiny")
    first, again = (covering_design(space, 30, np.random.default_rng(5)).genes for _ in range(2))
    assert np.array_equal(first, again)
    assert len(np.unique(space.canonical(first), axis=0)) == 30


def test_held_out_networks_are_none_of_the_design() -> None:
    space = load("tiny")
    used = covering_design(space, 30, np.random.default_rng(5)).genes
    digests = {space.decode(code).digest for code in used}
    found = held_out(space, 50, np.random.default_rng(6), without=digests)
    assert len(found) == len({tuple(code) for code in found}) == 50
    assert not {tuple(code) for code in found} & {tuple(code) for code in used}


def test_no_network_is_refused() -> None:
    with pytest.raises(InputError, match="at least one network"):
        covering_design(load("tiny"), 0, np.random.default_rng(0))


def test_probes_are_drawn_networks_from_small_to_large() -> None:
    space = load("ofa_mobilenet_v3")
    design = covering_design(space, 100, np.random.default_rng(0))
    rows = list(design.probes)
    macs = population_costs(space).macs(design.genes)
    assert len(set(rows)) == 9 and design.drawn[rows].all()
    assert (np.diff(macs[rows]) > 0).all()
    low, high = np.quantile(macs[design.drawn], (0.15, 0.85))
    assert macs[rows[0]] < low < high < macs[rows[-1]]


@pytest.mark.parametrize(("networks", "probes"), [(4, 4), (12, 9), (160, 13)])
def test_a_design_has_probes_whatever_its_size(networks: int, probes: int) -> None:
    design = covering_design(load("tiny"), networks, np.random.default_rng(0))
    assert len(set(design.probes)) == probes
