"""Fitting coefficients, and members for latency targets; latency here is a formula."""

from __future__ import annotations

import pytest

from edgenas.arch import Architecture, lower
from edgenas.arch.zoo import published
from edgenas.cost import macs
from edgenas.errors import BudgetError, InputError
from edgenas.scale import EFFICIENTNET, Coefficients, compound, family, fit, grid_by_latency, grid_by_macs, scaled


def latency_ms(network: Architecture) -> float:
    """A device that takes 1 ms for 30 M MACs, and 10 us for each operation."""
    graph = lower(network)
    return macs(graph) / 3e7 + 0.01 * len(graph.ops)


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v3_small"])
def test_each_member_lands_within_5_percent_below_its_target(name: str) -> None:
    targets = [2.5, 4.0, 10.0, 30.0]
    members = family(published(name), EFFICIENTNET, targets, latency_ms)
    assert [member.target_ms for member in members] == targets
    for member in members:
        assert member.within
        assert 0.95 * member.target_ms <= member.latency_ms <= member.target_ms
        assert member.latency_ms == latency_ms(member.architecture)


def test_a_target_that_the_network_meets_itself_is_met_by_the_network() -> None:
    network = published("mobilenet_v2")
    (member,) = family(network, EFFICIENTNET, [latency_ms(network) * 1.01], latency_ms)
    assert member.phi == (0.0, 0.0, 0.0) and member.architecture == network


def test_each_distinct_network_is_measured_once() -> None:
    asked: list[str] = []

    def counting(network: Architecture) -> float:
        asked.append(network.digest)
        return latency_ms(network)

    told: list[tuple[int, int, str]] = []
    family(published("mobilenet_v3_large"), EFFICIENTNET, [4.0, 8.0], counting, progress=lambda *at: told.append(at))
    assert len(asked) == len(set(asked))
    assert [(done, total) for done, total, _ in told] == [(1, 2), (2, 2)]


def test_a_target_below_the_fastest_member_says_the_fastest() -> None:
    with pytest.raises(BudgetError, match=r"got 0.001 ms; allowed: at least [\d.]+ ms"):
        family(published("mobilenet_v3_small"), EFFICIENTNET, [0.001], latency_ms)


def test_a_target_above_what_can_be_built_gives_the_slowest_and_says_so() -> None:
    (member,) = family(published("mobilenet_v3_small"), EFFICIENTNET, [1e9], latency_ms, phi_range=(-2.0, 2.0))
    assert not member.within and member.latency_ms < 1e9
    assert min(member.phi) >= 1.9


@pytest.mark.parametrize("targets", [[], [0.0], [-1.0], [float("nan")]])
def test_impossible_targets_are_refused(targets: list[float]) -> None:
    with pytest.raises(InputError, match="positive"):
        family(published("mobilenet_v2"), EFFICIENTNET, targets, latency_ms)


def test_coefficients_of_one_are_refused() -> None:
    with pytest.raises(InputError, match="scale nothing"):
        family(published("mobilenet_v2"), Coefficients(alpha=1, beta=1, gamma=1), [3.0], latency_ms)


def test_the_grid_by_macs_holds_the_published_point_and_only_products_near_2() -> None:
    candidates = grid_by_macs(published("efficientnet_b0"))
    published_point = compound(published("efficientnet_b0"), alpha=1.2, beta=1.1, gamma=1.15, phi=1)
    assert published_point in [candidate.architecture for candidate in candidates]
    assert all(1.9 - 1e-9 <= candidate.coefficients.macs_factor <= 2.1 + 1e-9 for candidate in candidates)
    assert len({candidate.architecture.digest for candidate in candidates}) == len(candidates)


def test_the_grid_by_latency_holds_only_networks_of_twice_the_latency() -> None:
    network = published("mobilenet_v3_small")
    candidates = grid_by_latency(network, latency_ms, step=0.1)
    base = latency_ms(network)
    assert len(candidates) > 5
    for candidate in candidates:
        assert candidate.ratio == pytest.approx(latency_ms(candidate.architecture) / base)
        assert 1.9 <= candidate.ratio <= 2.1


def test_the_grid_by_latency_finds_all_that_a_full_walk_finds() -> None:
    network = published("mobilenet_v3_small")
    steps = [1 + 0.25 * place for place in range(7)]
    base, full = latency_ms(network), set()
    for alpha in steps:
        for beta in steps:
            for gamma in steps:
                point = Coefficients(alpha=alpha, beta=beta, gamma=gamma)
                grown = scaled(network, width=beta, depth=alpha, resolution=round(224 * gamma / 8) * 8)
                if abs(latency_ms(grown) / base - 2) <= 0.2:
                    full.add(grown.digest)
                assert point.alpha == alpha
    found = grid_by_latency(network, latency_ms, step=0.25, tolerance=0.2)
    assert {candidate.architecture.digest for candidate in found} == full


def test_a_latency_that_nothing_reaches_is_refused() -> None:
    with pytest.raises(BudgetError, match="no scaling coefficients"):
        grid_by_latency(published("mobilenet_v3_small"), lambda network: 1.0, step=0.5)


@pytest.mark.parametrize("values", [{"ratio": 1.0}, {"tolerance": 0.0}, {"step": 0.0}])
def test_impossible_grids_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match="impossible grid"):
        grid_by_macs(published("mobilenet_v2"), **values)


def test_fit_puts_the_best_quality_first() -> None:
    candidates = grid_by_macs(published("mobilenet_v3_small"), step=0.1)
    fitted = fit(candidates, lambda network: -abs(network.resolution - 264))
    assert [one.quality for one in fitted] == sorted((one.quality for one in fitted), reverse=True)
    assert len(fitted) == len(candidates)
    with pytest.raises(InputError, match="no scaling coefficients"):
        fit([], lambda network: 0.0)
