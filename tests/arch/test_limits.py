"""Sizes beyond which a description is taken for a mistake, in values, notations and documents alike."""

from __future__ import annotations

import dataclasses

import pytest

from edgenas.arch import limits
from edgenas.arch.architecture import Block, Head, SqueezeExcite, Stage, Stem
from edgenas.arch.notation import format_notation, parse_notation
from edgenas.arch.zoo import published
from edgenas.errors import ArchitectureError

GOOD = "r224 | stem_k3_s2_c16_hs | mb_k3_c16_re | head_c960_hs | n1000"


def test_the_good_notation_is_good() -> None:
    assert parse_notation(GOOD).resolution == 224


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("r224", f"r{2**31}"),
        ("r224", "r1e400"),
        ("r224", "r" + "9" * 5000),
        ("r224", "r2²"),
        ("r224", "r224_epsnan"),
        ("c16_hs", f"c{10**14}_hs"),
        ("c16_re", "c65537_re"),
        ("c16_re", "c1e400_re"),
        ("c16_re", "c16_re*²"),
        ("c16_re", "c16_re*"),
        ("c16_re", "c16_re*0"),
        ("c16_re", "c16_re*1000000000"),
        ("c16_re", "c16_re*1025"),
        ("c16_re", "c16_re*" + "9" * 5000),
        ("c16_re", "e1e300_c16_re"),
        ("c16_re", "e1e400_c16_re"),
        ("c16_re", "c16_re_se1.5"),
        ("c16_re", "c16_re_se" + "9" * 5000),
        ("k3_c16_re", "k17_c16_re"),
        ("c960", "c65537"),
        ("n1000", f"n{10**9}"),
        ("mb_k3_c16_re", "mb_k3_c16_re*1000 mb_k3_c16_re*1000"),
        ("mb_k3_c16_re", "mb_k3_c16_re " * 20_000),
    ],
)
def test_a_notation_beyond_the_limits_is_refused_in_a_short_message(old: str, new: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        parse_notation(GOOD.replace(old, new, 1))
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    "make",
    [
        lambda: Block(expanded=limits.CHANNELS + 1, out_channels=8),
        lambda: Block(expanded=8, out_channels=8, skip="false"),  # type: ignore[arg-type]
        lambda: Block(expanded=8, out_channels=8, stride=2.0),  # type: ignore[arg-type]
        lambda: Block(expanded=8, out_channels=8, stride=True),
        lambda: Block(expanded=8, out_channels=8, kernel=True),
        lambda: Block(expanded=8, out_channels=8, expand=1),  # type: ignore[arg-type]
        lambda: Stem(out_channels=limits.CHANNELS + 1),
        lambda: Stem(out_channels=8, stride=1.0),  # type: ignore[arg-type]
        lambda: Head(conv_channels=True),
        lambda: Head(conv_channels=8, hidden_channels=8, hidden_norm=1),  # type: ignore[arg-type]
        lambda: SqueezeExcite(channels=limits.CHANNELS + 1),
    ],
)
def test_a_value_of_another_type_or_beyond_the_limits_is_refused(make) -> None:
    with pytest.raises(ArchitectureError):
        make()


@pytest.mark.parametrize(
    "change",
    [
        {"resolution": limits.RESOLUTION + 1},
        {"in_channels": limits.IN_CHANNELS + 1},
        {"classes": limits.CLASSES + 1},
        {"norm_eps": float("nan")},
        {"norm_eps": True},
        {"stages": (Stage(blocks=(Block(expanded=16, out_channels=16, expand=False),) * (limits.BLOCKS + 1)),)},
    ],
)
def test_a_network_beyond_the_limits_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ArchitectureError):
        dataclasses.replace(published("mobilenet_v3_small"), **change)  # type: ignore[arg-type]


def test_the_largest_published_networks_lie_within() -> None:
    assert parse_notation(format_notation(published("efficientnet_b7"))).resolution == 600
