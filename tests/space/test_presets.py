"""The presets that ship, and what they must contain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgenas.arch.zoo import published
from edgenas.errors import SpaceError
from edgenas.space import PRESETS, dump, load, read, with_task

MEMBERS = [
    ("mobilenet_v3", "mobilenet_v3_large"),
    ("mobilenet_v3_small", "mobilenet_v3_small"),
    ("efficientnet", "efficientnet_b0"),
    ("efficientnet", "efficientnet_b1"),
    ("efficientnet", "efficientnet_b2"),
    ("mnasnet", "mnasnet_a1"),
    ("mnasnet", "mnasnet_b1"),
    ("mobilenet_v2", "mobilenet_v2"),
    ("edge_lite", "efficientnet_lite0"),
    ("mobilenet_v4", "mobilenet_v4_conv_small"),
]


@pytest.mark.parametrize(("space", "network"), MEMBERS)
def test_a_preset_contains_its_published_network(space: str, network: str) -> None:
    found = load(space)
    # edge_lite pads symmetrically, as its tables were measured; Lite0 is a member but for its padding.
    wanted = replace(published(network), padding="symmetric")
    code = found.encode(wanted)
    assert found.decode(code).digest == wanted.digest


def test_the_once_for_all_space_has_five_stages_of_kernel_expansion_and_depth() -> None:
    space = load("ofa_mobilenet_v3")
    per_stage = sum(9**depth for depth in (2, 3, 4))
    assert space.size == 4 * per_stage**5
    assert space.raw_size == 4 * (3 * 9**4) ** 5


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_dumped_reads_back_as_the_same_space(name: str) -> None:
    assert read(dump(load(name))) == load(name)


@pytest.mark.parametrize("name", PRESETS)
def test_any_preset_adapts_to_other_images(name: str) -> None:
    space = with_task(load(name), classes=7, in_channels=1, resolutions=[64, 32])
    assert space.definition.resolution == (32, 64)
    for code in space.sample(10, np.random.default_rng(0)):
        network = space.decode(code)
        assert (network.classes, network.in_channels) == (7, 1)
        assert network.resolution in (32, 64)


def test_an_impossible_task_is_refused() -> None:
    with pytest.raises(SpaceError, match="classes.*got 0"):
        with_task(load("tiny"), classes=0)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(SpaceError, match="did you mean 'mobilenet_v3'"):
        load("mobilenetv3")


def test_a_missing_file_is_said_to_be_missing(tmp_path: object) -> None:
    with pytest.raises(SpaceError, match="cannot read the space"):
        load(f"{tmp_path}/none.yaml")


def test_tiny_stays_as_small_as_its_file_says() -> None:
    from edgenas.space import population_costs

    space = load("tiny")
    low, high = population_costs(space).params(np.stack([space.smallest(), space.largest()]))
    assert low >= 500 and high <= 40_000
