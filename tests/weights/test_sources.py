"""The table of published weights: what it says of each, and how a name is found."""

from __future__ import annotations

import re

import pytest

from edgenas.arch.zoo import NAMES
from edgenas.errors import WeightsError
from edgenas.nn.origins import ORIGINS
from edgenas.weights.load import network_of
from edgenas.weights.source import WeightSource
from edgenas.weights.sources import SOURCES, source_named

NETWORKS = [source for source in SOURCES.values() if not source.supernet]
NOBODY = {"proxyless_mobile"}


@pytest.mark.parametrize("source", NETWORKS, ids=lambda source: source.name)
def test_padding_and_epsilon_are_those_that_the_reader_of_their_layout_takes(source: WeightSource) -> None:
    network, origin = network_of(source), ORIGINS[source.layout]  # type: ignore[index]
    assert (source.padding, source.norm_eps) == (origin.padding, origin.eps(network))
    assert (network.padding, network.norm_eps, network.resolution) == (
        source.padding, source.norm_eps, source.resolution
    )  # fmt: skip


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)
def test_every_entry_says_where_it_lies_and_how_images_are_prepared(source: WeightSource) -> None:
    assert sum(map(bool, (source.url, source.hub, source.package))) == 1
    assert re.fullmatch(r"[0-9a-f]{8,64}|", source.sha256)
    assert source.sha256 or source.hub or source.supernet
    assert source.top1 is None or 60 < source.top1 < 90
    assert 0.8 < source.images.crop <= 1 and min(source.images.std) > 0
    assert source.licence and source.origin


def test_every_network_of_the_zoo_has_public_weights_but_those_that_nobody_published() -> None:
    assert {source.network for source in NETWORKS} == set(NAMES) - NOBODY


def test_a_name_is_found_whole_behind_its_package_and_by_its_network() -> None:
    lite = SOURCES["pypi:efficientnet-lite0"]
    assert source_named("pypi:efficientnet-lite0") is lite
    assert source_named("efficientnet-lite0") is lite
    assert source_named("efficientnet_lite0") is lite
    assert source_named("tf_efficientnet_lite0.in1k").name == "timm:tf_efficientnet_lite0.in1k"
    assert source_named("mobilenet_v3_large").name == "torchvision:mobilenet_v3_large.v2"


@pytest.mark.parametrize(
    ("wrong", "near"), [("mobilnet_v2", "mobilenet_v2"), ("timm:tf_efficientnet_b0", "timm:tf_efficientnet_b0.aa_in1k")]
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(WeightsError, match=rf"did you mean '{near}'"):
        source_named(wrong)
