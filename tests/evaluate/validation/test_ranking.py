"""Rank agreement and its intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgenas.errors import InputError
from edgenas.evaluate import (
    agreement,
    beyond,
    cost_bands,
    kendall,
    margin,
    margin_within_bands,
    spearman,
    within_bands,
)

RNG = np.random.default_rng(0)
ONE_BAND = np.zeros(40, dtype=np.int64)


def test_spearman_is_the_correlation_of_ranks_worked_by_hand() -> None:
    first, second = np.array([10.0, 20.0, 30.0, 40.0, 50.0]), np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    assert spearman(first, second) == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert kendall(first, second) == pytest.approx((8 - 2) / 10)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=20))
def test_rank_correlations_with_ties_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    if len(np.unique(first)) == 1 or len(np.unique(second)) == 1:
        assert np.isnan(spearman(first, second)) and np.isnan(kendall(first, second))
        return
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert kendall(first, second) == pytest.approx(stats.kendalltau(first, second).statistic)


def test_an_estimate_that_orders_nothing_has_no_rank_correlation() -> None:
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))
    assert np.isnan(spearman(np.arange(2.0), np.arange(2.0)))


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=30, unique=True), st.integers(1, 4))
def test_cost_bands_are_ordered_and_of_nearly_equal_size(costs: list[float], bands: int) -> None:
    values = np.array(costs)
    found = cost_bands(values, bands)
    sizes = np.bincount(found, minlength=bands)
    assert sizes.max() - sizes.min() <= 1
    for band in range(bands - 1):
        assert values[found == band].max() < values[found == band + 1].min()


def test_agreement_of_a_perfect_estimate_is_one_everywhere() -> None:
    truth = RNG.random(40)
    found = agreement(np.exp(truth), truth, bands=cost_bands(RNG.random(40), 3), rng=np.random.default_rng(1))
    assert (found.spearman, found.spearman_low, found.spearman_high) == pytest.approx((1, 1, 1))
    assert found.kendall == pytest.approx(1) and found.spearman_within_bands == pytest.approx(1)
    assert len(found.band_spearman) == 3


def test_an_estimate_that_only_knows_the_cost_has_nothing_within_bands() -> None:
    cost = np.arange(60.0)
    bands = cost_bands(cost, 3)
    truth = bands + 0.1 * np.random.default_rng(3).random(60)
    found = agreement(cost, truth, bands=bands, rng=np.random.default_rng(1))
    assert found.spearman > 0.85
    assert abs(found.spearman_within_bands) < 0.3
    assert found.spearman_within_bands_low < found.spearman_within_bands < found.spearman_within_bands_high


def test_intervals_hold_the_value_and_narrow_with_more_networks() -> None:
    def width(count: int) -> float:
        rng = np.random.default_rng(5)
        truth = rng.normal(size=count)
        bands = np.zeros(count, dtype=np.int64)
        found = agreement(truth + rng.normal(size=count), truth, bands=bands, rng=np.random.default_rng(1))
        assert found.spearman_low < found.spearman < found.spearman_high
        assert found.kendall_low < found.kendall < found.kendall_high
        return found.spearman_high - found.spearman_low

    assert width(160) < 0.7 * width(20)


def test_intervals_cover_the_true_correlation_about_as_often_as_they_say() -> None:
    rho = 0.7
    true = 6 / np.pi * np.arcsin(rho / 2)
    hits = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        truth = rng.normal(size=40)
        estimate = rho * truth + np.sqrt(1 - rho**2) * rng.normal(size=40)
        found = agreement(estimate, truth, bands=ONE_BAND, rng=rng)
        hits += found.spearman_low <= true <= found.spearman_high
    assert hits >= 50


def test_a_margin_over_itself_is_nothing_and_over_noise_is_clear() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random(40)
    same = margin(truth, truth, truth, rng=rng)
    assert (same.difference, same.low, same.high, same.clear) == (0, 0, 0, False)
    assert margin(truth, rng.random(40), truth, rng=rng).clear
    assert not margin(rng.random(40), truth, truth, rng=rng).clear


def test_rho_within_bands_is_the_mean_over_bands_weighted_by_their_networks() -> None:
    truth = np.arange(10.0)
    estimate = np.array([0.0, 1, 2, 3, 4, 5, 9, 8, 7, 6])
    bands = np.array([0] * 6 + [1] * 4)
    assert within_bands(estimate, truth, bands) == pytest.approx((6 * 1 + 4 * -1) / 10)


def test_bands_that_order_nothing_are_left_out() -> None:
    truth = np.arange(8.0)
    estimate = np.array([0.0, 1, 2, 3, 7, 7, 7, 7])
    assert within_bands(estimate, truth, np.array([0] * 4 + [1] * 4)) == 1
    pair_at_the_end = np.array([0] * 6 + [1] * 2)
    assert within_bands(estimate, truth, pair_at_the_end) == pytest.approx(spearman(estimate[:6], truth[:6]))
    assert np.isnan(within_bands(estimate, truth, np.arange(8)))


def test_within_bands_an_estimate_beats_the_cost_that_it_does_not_beat_over_all() -> None:
    rng = np.random.default_rng(4)
    cost = np.arange(45.0)
    bands = cost_bands(cost, 3)
    own = rng.random(45)
    truth = 10.0 * bands + own
    better = 10.0 * bands + own + 0.1 * rng.random(45)
    over = margin(better, cost, truth, rng=np.random.default_rng(1))
    within = margin_within_bands(better, cost, truth, bands=bands, rng=np.random.default_rng(1))
    assert within.clear and within.low < within.difference < within.high
    assert within.difference > 4 * over.difference
    same = margin_within_bands(cost, cost, truth, bands=bands, rng=np.random.default_rng(1))
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_beyond_a_baseline_is_the_correlation_of_what_it_leaves_open_in_the_ranks() -> None:
    rng = np.random.default_rng(6)
    baseline = rng.normal(size=60)
    truth, estimate = baseline + rng.normal(size=60), baseline + rng.normal(size=60)
    ranks = [stats.rankdata(values) for values in (estimate, truth, baseline)]
    left = [rank - np.polyval(np.polyfit(ranks[2], rank, 1), ranks[2]) for rank in ranks[:2]]
    found = beyond(estimate, baseline, truth, rng=rng)
    assert found.spearman == pytest.approx(np.corrcoef(*left)[0, 1])
    assert found.low < found.spearman < found.high


def test_an_estimate_may_add_to_a_baseline_that_it_does_not_beat() -> None:
    rng = np.random.default_rng(7)
    baseline, other = rng.normal(size=80), rng.normal(size=80)
    truth = baseline + 0.5 * other
    assert beyond(other, baseline, truth, rng=rng).clear
    assert margin(other, baseline, truth, rng=rng).high < 0
    same = beyond(3 * baseline, baseline, truth, rng=rng)
    assert np.isnan(same.spearman) and not same.clear


def test_there_is_no_interval_where_too_many_resamples_order_nothing() -> None:
    baseline = np.arange(9.0)
    almost = np.array([0.0, 1, 2, 3, 4, 5, 6, 8, 7])
    truth = np.array([0.0, 2, 1, 4, 3, 5, 6, 8, 7])
    found = beyond(almost, baseline, truth, rng=np.random.default_rng(0))
    assert found.spearman > 0 and np.isnan(found.low) and not found.clear


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(InputError, match="2 and 2 networks"):
        agreement(np.arange(2.0), np.arange(2.0), bands=ONE_BAND[:2], rng=RNG)
    with pytest.raises(InputError, match="without a value"):
        margin(np.array([1.0, np.nan, 2.0]), np.arange(3.0), np.arange(3.0), rng=RNG)
