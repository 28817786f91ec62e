"""The largest and the smallest network of a space are so by their costs, whatever its choices are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from edgenas.space import PRESETS, SearchSpace, load, population_costs
from tests.space.spaces import small_spaces


def every(space: SearchSpace) -> np.ndarray:
    return np.indices(space.cardinalities).reshape(len(space.cardinalities), -1).T


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(space=small_spaces())
def test_no_network_of_an_enumerated_space_is_beyond_its_extremes(space: SearchSpace) -> None:
    macs = population_costs(space).macs
    found = macs(every(space))
    assert macs(space.largest()[None])[0] == found.max()
    assert macs(space.smallest()[None])[0] == found.min()


@pytest.mark.parametrize("name", PRESETS)
def test_no_drawn_network_of_a_preset_is_beyond_its_extremes(name: str) -> None:
    space = load(name)
    macs = population_costs(space).macs
    found = macs(space.sample(5_000, np.random.default_rng(0)))
    assert macs(space.smallest()[None])[0] <= found.min() <= found.max() <= macs(space.largest()[None])[0]


@pytest.mark.parametrize("name", PRESETS)
def test_extremes_are_canonical_and_those_of_every_preset_are_its_last_and_first_choices(name: str) -> None:
    space = load(name)
    macs = population_costs(space).macs
    for code, plain in ((space.largest(), space.last_choices()), (space.smallest(), space.first_choices())):
        assert np.array_equal(code, space.canonical(code[None])[0])
        if macs(code[None])[0] == macs(plain[None])[0]:
            assert np.array_equal(code, plain)


def test_a_kind_that_costs_less_is_not_largest_for_being_named_last(tmp_path: Path) -> None:
    file = tmp_path / "mixed.yaml"
    file.write_text(
        "name: mixed\nresolution: 32\nclasses: 10\nstem: {channels: 16, stride: 1}\nhead: {conv: 32}\n"
        "stages:\n  - {out: 32, depth: [1, 2], stride: 2, kind: [conv, mbconv], kernel: [3, 5], expansion: [1, 2]}\n",
        encoding="utf-8",
    )
    space = load(str(file))
    macs = population_costs(space).macs
    assert macs(space.largest()[None])[0] == macs(every(space)).max()
    assert macs(space.largest()[None])[0] > macs(space.last_choices()[None])[0]
