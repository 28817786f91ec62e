"""Compound scaling against the published family, and its laws on every network of the zoo."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgenas.arch import SqueezeExcite, lower
from edgenas.arch.zoo import EFFICIENTNET_SCALES, NAMES, published
from edgenas.cost import macs, params
from edgenas.errors import ArchitectureError, BudgetError
from edgenas.scale import (
    EFFICIENTNET,
    Coefficients,
    channel_divisor,
    compound,
    memory_bytes,
    rounded_resolution,
    scaled,
)
from edgenas.scale.squeeze import inferred_squeeze
from edgenas.space import load

COEFFICIENTS = {"alpha": 1.2, "beta": 1.1, "gamma": 1.15}


@pytest.mark.parametrize("variant", EFFICIENTNET_SCALES)
def test_the_published_scales_turn_b0_into_the_published_family(variant: int) -> None:
    width, depth, resolution = EFFICIENTNET_SCALES[variant]
    grown = scaled(published("efficientnet_b0"), width=width, depth=depth, resolution=resolution)
    assert grown.digest == published(f"efficientnet_b{variant}").digest


@pytest.mark.parametrize("name", NAMES)
def test_scaling_by_one_changes_nothing(name: str) -> None:
    network = published(name)
    assert scaled(network).digest == network.digest
    assert compound(network, **COEFFICIENTS, phi=0) == network


@pytest.mark.parametrize("name", NAMES)
def test_macs_and_params_rise_with_phi_and_fall_below_zero(name: str) -> None:
    graphs = [lower(compound(published(name), **COEFFICIENTS, phi=phi)) for phi in (-4, -2, 0, 1, 2)]
    for count in (macs, params):
        counts = [count(graph) for graph in graphs]
        assert counts == sorted(counts) and counts[0] < counts[2] < counts[-1]


def test_phi_of_one_about_doubles_the_macs_of_b0() -> None:
    network = published("efficientnet_b0")
    ratio = macs(lower(compound(network, **COEFFICIENTS, phi=1))) / macs(lower(network))
    assert 1.8 < ratio < 2.4


def test_mobilenet_v3_keeps_its_ratios_and_its_squeeze_rule() -> None:
    network = published("mobilenet_v3_large")
    grown = scaled(network, width=1.25)
    assert inferred_squeeze(network).kind == inferred_squeeze(grown).kind == "expanded"
    for old, new in zip(network.blocks(), grown.blocks(), strict=True):
        assert new.expanded % 8 == 0 and new.expand == old.expand
        assert (new.se is None) == (old.se is None)
    fourth = list(grown.blocks())[8]  # 184 = 2.3 x 80 becomes make_divisible(2.3 x 104)
    assert (fourth.out_channels, fourth.expanded) == (104, 240)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("efficientnet_b0", "input"), ("mnasnet_a1", "input"), ("mobilenet_v3_small", "expanded")],
)
def test_the_squeeze_rule_is_that_of_the_whole_network(name: str, kind: str) -> None:
    assert inferred_squeeze(published(name)).kind == kind


def test_a_squeeze_of_no_known_rule_keeps_its_ratio() -> None:
    network = published("mobilenet_v3_large")
    stage = network.stages[2]
    odd = replace(stage.blocks[0], se=SqueezeExcite(channels=36))
    changed = replace(network, stages=(*network.stages[:2], replace(stage, blocks=(odd, *stage.blocks[1:])),
                                       *network.stages[3:]))
    assert inferred_squeeze(changed).kind == "ratio"
    grown = scaled(changed, width=2.0).stages[2].blocks[0]
    assert grown.se is not None and grown.se.channels * 72 == 36 * grown.expanded


def test_a_stage_of_one_block_grows_by_blocks_with_stride_1_and_a_skip() -> None:
    stage = scaled(published("efficientnet_b0"), depth=3.0).stages[0]
    assert len(stage.blocks) == 3
    assert [block.skip for block in stage.blocks] == [False, True, True]
    assert not any(block.expand for block in stage.blocks)


def test_plain_convolutions_count_to_the_stem_and_are_not_repeated() -> None:
    grown = scaled(published("mobilenet_v4_conv_small"), depth=2.0)
    assert [len(stage.blocks) for stage in grown.stages] == [2, 1, 1, 12, 12]


def test_members_of_a_tiny_space_keep_its_narrow_channels() -> None:
    space = load("tiny")
    network = space.decode(space.smallest())
    assert channel_divisor(network) == 4
    assert scaled(network, width=1.5).stem.out_channels == 8


@pytest.mark.parametrize(
    ("pixels", "rounded"), [(231.8, 232), (243, 240), (110.3, 112), (33.2, 34), (8.9, 8), (0.3, 2)]
)
def test_resolutions_round_to_the_documented_steps(pixels: float, rounded: int) -> None:
    assert rounded_resolution(pixels) == rounded


@pytest.mark.parametrize("phi", [40.0, 100.0])
def test_a_network_too_large_to_build_is_refused(phi: float) -> None:
    with pytest.raises(BudgetError, match="too large.*smaller phi"):
        compound(published("efficientnet_b0"), **COEFFICIENTS, phi=phi)


def test_a_network_too_large_for_memory_is_refused_with_the_estimate() -> None:
    network = published("efficientnet_b0")
    with pytest.raises(BudgetError, match=r"estimate of \d+ MiB.*at most 64 MiB"):
        compound(network, **COEFFICIENTS, phi=5, memory_limit_bytes=64 << 20)
    assert compound(network, **COEFFICIENTS, phi=1, memory_limit_bytes=64 << 20).resolution == 256


@pytest.mark.parametrize("phi", [-2.0, 1.0, 3.0, 5.0])
def test_the_estimate_before_building_is_near_the_need_after(phi: float) -> None:
    network = published("efficientnet_b0")
    needed = memory_bytes(compound(network, **COEFFICIENTS, phi=phi))
    compound(network, **COEFFICIENTS, phi=phi, memory_limit_bytes=int(needed * 1.35))
    with pytest.raises(BudgetError, match="estimate"):
        compound(network, **COEFFICIENTS, phi=phi, memory_limit_bytes=int(needed * 0.65))


def test_training_needs_more_memory_than_inference() -> None:
    network = published("mobilenet_v2")
    assert memory_bytes(network, batch=8, training=True) > 4 * memory_bytes(network, batch=8)


@pytest.mark.parametrize("values", [{"alpha": 0.9}, {"gamma": float("nan")}, {"phi": float("inf")}, {"phi": 1000.0}])
def test_impossible_coefficients_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ArchitectureError):
        compound(published("mobilenet_v2"), **{**COEFFICIENTS, "phi": 1.0, **values})


@pytest.mark.parametrize("factors", [{"width": 0.0}, {"depth": -1.0}, {"resolution": 0}])
def test_impossible_factors_are_refused(factors: dict[str, float]) -> None:
    with pytest.raises(ArchitectureError, match="must be positive"):
        scaled(published("mobilenet_v2"), **factors)


def test_the_published_coefficients_multiply_to_1_92() -> None:
    assert pytest.approx(1.920, abs=5e-4) == EFFICIENTNET.macs_factor
    assert Coefficients(alpha=1.2, beta=1.1, gamma=1.15) == EFFICIENTNET
