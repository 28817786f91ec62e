import dataclasses

import pytest
from hypothesis import given

from edgenas.arch import Architecture, Block, Head, SqueezeExcite, Stage, Stem, make_divisible
from edgenas.arch.zoo import published
from edgenas.errors import ArchitectureError
from tests.arch.strategies import architectures


def _network(*blocks: Block) -> Architecture:
    return Architecture(
        resolution=32, stem=Stem(out_channels=8), stages=(Stage(blocks=blocks),), head=Head(conv_channels=0), classes=10
    )


def test_grouping_into_stages_is_no_part_of_the_identity() -> None:
    first, second = Block(expanded=16, out_channels=8), Block(expanded=24, out_channels=8, skip=True)
    together = _network(first, second)
    apart = dataclasses.replace(together, stages=(Stage(blocks=(first,)), Stage(blocks=(second,))))
    assert together != apart
    assert together.digest == apart.digest


@given(architectures())
def test_another_resolution_is_another_network(architecture) -> None:
    other = dataclasses.replace(architecture, resolution=architecture.resolution + 1)
    assert other.digest != architecture.digest


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kernel": 4}, "must be odd"),
        ({"kernel": 0, "stride": 2}, "stride must be 1"),
        ({"kernel": 0, "expand": False, "expanded": 8}, "needs its expansion"),
        ({"stride": 3}, "1 or 2"),
        ({"stride": 2, "skip": True}, "needs stride 1"),
        ({"activation": "gelu"}, "unknown activation"),
        ({"kind": "conv"}, "expanded must equal out_channels"),
        ({"kind": "conv", "expanded": 8, "se": SqueezeExcite(channels=4)}, "needs an mbconv"),
        ({"kind": "fused", "expand": False}, "mbconv only"),
        ({"kind": "fused", "start_kernel": 3}, "mbconv only"),
        ({"out_channels": 0}, "positive integer"),
        ({"expanded": True}, "positive integer"),
    ],
)
def test_an_impossible_block_is_refused(values: dict, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        Block(**{"expanded": 16, "out_channels": 8, **values})


def test_a_skip_across_a_change_of_channels_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="block 0: a skip needs as many channels in as out; got 8 in, 12 out"):
        _network(Block(expanded=16, out_channels=12, skip=True))


def test_a_separable_block_keeps_its_channels() -> None:
    with pytest.raises(ArchitectureError, match="expanded 16, in 8"):
        _network(Block(expanded=16, out_channels=8, expand=False))


@pytest.mark.parametrize(("value", "expected"), [(1, 8), (11.9, 16), (12, 16), (18, 24), (23, 24), (100, 104)])
def test_channels_round_to_eight_and_never_lose_a_tenth(value: float, expected: int) -> None:
    assert make_divisible(value) == expected
    assert make_divisible(value) >= 0.9 * value


def test_digests_do_not_change_between_versions() -> None:
    # Stores, tables and checkpoints are keyed by digests: a change here orphans them all.
    assert published("mobilenet_v2").digest == DIGEST


DIGEST = "d5478088ca63220d3d46fe8a535ccb11"
