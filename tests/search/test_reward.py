"""Rewards worked out by hand."""

from __future__ import annotations

import pytest

from edgenas.errors import SearchError
from edgenas.search.reward import combined, mnasnet_hard, mnasnet_soft, tunas_absolute


def test_the_soft_reward_of_mnasnet_goes_on_below_the_target() -> None:
    # 0.8 * 2^-0.07, 0.8 and 0.8 * 0.5^-0.07.
    found = mnasnet_soft([0.8, 0.8, 0.8], [20.0, 10.0, 5.0], target_ms=10.0)
    assert found == pytest.approx([0.762110, 0.8, 0.839773], abs=1e-6)


def test_the_hard_reward_of_mnasnet_is_the_accuracy_below_the_target() -> None:
    found = mnasnet_hard([0.8, 0.8, 0.8], [20.0, 10.0, 5.0], target_ms=10.0)
    assert found == pytest.approx([0.4, 0.8, 0.8])


def test_the_absolute_reward_of_tunas_falls_on_both_sides_of_the_target() -> None:
    found = tunas_absolute([0.8, 0.8, 0.8], [15.0, 10.0, 5.0], target_ms=10.0)
    assert found == pytest.approx([0.75, 0.8, 0.75])


def test_the_combined_reward_multiplies_both_costs() -> None:
    # 0.8 * 2^-0.5 * 4^-0.25 = 0.8 / 2.
    found = combined(
        [0.8], [20.0], [400.0], target_ms=10.0, target_macs=100.0, latency_exponent=-0.5, macs_exponent=-0.25
    )
    assert found == pytest.approx([0.4])


@pytest.mark.parametrize("latency", [0.0, -1.0])
def test_a_cost_that_is_not_positive_is_refused(latency: float) -> None:
    with pytest.raises(SearchError, match="must be positive"):
        mnasnet_soft([0.8], [latency], target_ms=10.0)
    with pytest.raises(SearchError, match="must be positive"):
        mnasnet_hard([0.8], [1.0], target_ms=latency)


def test_the_combined_reward_weighs_both_costs_by_the_published_exponent_unless_told() -> None:
    # 0.8 * 2^-0.07 * 4^-0.07.
    found = combined([0.8], [20.0], [400.0], target_ms=10.0, target_macs=100.0)
    assert found == pytest.approx([0.8 * 8**-0.07])


def test_costs_and_targets_below_one_are_costs_too() -> None:
    assert mnasnet_soft([0.8], [0.25], target_ms=0.5, exponent=-1.0) == pytest.approx([1.6])
