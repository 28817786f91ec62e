"""How well one list of numbers orders what another one orders, with intervals. Letters: N networks, B bands."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edgenas.errors import InputError, explain

Floats = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Rank agreement of an estimate with the truth.

    Attributes:
        spearman: Spearman's rho.
        spearman_low, spearman_high: Bootstrap interval over networks, 95 %.
        kendall: Kendall's tau-b.
        kendall_low, kendall_high: Its interval.
        spearman_within_bands: Mean of rho within bands of similar cost, weighted by their networks.
        band_spearman: rho of each band; NaN where a band leaves nothing to order.
    """

    spearman: float
    spearman_low: float
    spearman_high: float
    kendall: float
    kendall_low: float
    kendall_high: float
    spearman_within_bands: float
    band_spearman: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """By how much one estimate orders better than another, resampled together.

    Attributes:
        difference: Of Spearman's rho.
        low, high: Its bootstrap interval, 95 %.
    """

    difference: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0


def agreement(estimate: Floats, truth: Floats, *, bands: NDArray[np.int64], rng: np.random.Generator) -> Agreement:
    """Compare an estimate with the truth.

    Args:
        estimate: (N,), finite.
        truth: (N,), finite.
        bands: (N,) number of the cost band of each network.
        rng: Draws the resamples.

    Raises:
        InputError: There are fewer than three networks, or a value is not finite.
    """
    _require_comparable(estimate, truth)
    indices = _resamples(len(truth), rng)
    low, high = _interval(indices, lambda i: spearman(estimate[i], truth[i]))
    tau_low, tau_high = _interval(indices, lambda i: kendall(estimate[i], truth[i]))
    within = [spearman(estimate[bands == band], truth[bands == band]) for band in np.unique(bands)]
    sizes = np.array([(bands == band).sum() for band in np.unique(bands)], dtype=np.float64)
    known = np.isfinite(within)
    mean = float(np.average(np.array(within)[known], weights=sizes[known])) if known.any() else float("nan")
    return Agreement(
        spearman=spearman(estimate, truth),
        spearman_low=low,
        spearman_high=high,
        kendall=kendall(estimate, truth),
        kendall_low=tau_low,
        kendall_high=tau_high,
        spearman_within_bands=mean,
        band_spearman=tuple(within),
    )


def margin(estimate: Floats, baseline: Floats, truth: Floats, *, rng: np.random.Generator) -> Margin:
    """Compare how two estimates (N,) order the truth (N,), on the same resamples of networks.

    Raises:
        InputError: There are fewer than three networks, or a value is not finite.
    """
    _require_comparable(estimate, truth)
    _require_comparable(baseline, truth)

    def difference(i: NDArray[np.int64]) -> float:
        return spearman(estimate[i], truth[i]) - spearman(baseline[i], truth[i])

    low, high = _interval(_resamples(len(truth), rng), difference)
    return Margin(difference=difference(np.arange(len(truth))), low=low, high=high)


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rho of two lists (N,) with mean ranks for ties; NaN where one of them orders nothing."""
    if len(first) < 3:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return float(stats.spearmanr(first, second).statistic)


def kendall(first: Floats, second: Floats) -> float:
    """Kendall's tau-b of two lists (N,); NaN where one of them orders nothing."""
    return float(stats.kendalltau(first, second).statistic)


def cost_bands(costs: Floats, bands: int) -> NDArray[np.int64]:
    """Part networks into bands of similar cost and (nearly) equal numbers.

    Args:
        costs: (N,).
        bands: B, at least 1.

    Returns:
        (N,) number of the band of each, 0 the cheapest.
    """
    order = np.argsort(np.argsort(costs, kind="stable"), kind="stable")
    return order * bands // len(costs)


def _resamples(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(0, count, (RESAMPLES, count))


def _interval(indices: NDArray[np.int64], statistic: Callable[[NDArray[np.int64]], float]) -> tuple[float, float]:
    values = np.array([statistic(row) for row in indices])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _require_comparable(estimate: Floats, truth: Floats) -> None:
    if len(truth) < 3 or len(estimate) != len(truth):
        raise InputError(
            explain("cannot compare rankings", got=f"{len(estimate)} and {len(truth)} networks", allowed="3+")
        )
    if not (np.isfinite(estimate).all() and np.isfinite(truth).all()):
        raise InputError(explain("cannot rank networks without a value", remedy="Leave out those that failed."))
