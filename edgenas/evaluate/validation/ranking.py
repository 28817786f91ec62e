"""Rank agreement of two lists of numbers, with intervals. Letters: N networks, B bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edgenas.errors import InputError, explain
from edgenas.types import Floats

RESAMPLES = 1000
LEVEL = 0.95
MISSING_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Rank agreement of an estimate with the truth.

    Attributes:
        spearman: Spearman's rho.
        spearman_low, spearman_high: Bootstrap interval over networks, 95 %.
        kendall: Kendall's tau-b.
        kendall_low, kendall_high: Its interval.
        spearman_within_bands: Mean of rho within bands of similar cost, weighted by their networks.
        spearman_within_bands_low, spearman_within_bands_high: Its interval; networks are resampled within their bands.
        band_spearman: rho of each band; NaN where a band leaves nothing to order.
    """

    spearman: float
    spearman_low: float
    spearman_high: float
    kendall: float
    kendall_low: float
    kendall_high: float
    spearman_within_bands: float
    spearman_within_bands_low: float
    spearman_within_bands_high: float
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What an estimate says about the truth that a baseline does not.

    Attributes:
        spearman: Partial rank correlation with the baseline held fixed; NaN if the baseline explains everything.
        low, high: Its bootstrap interval over networks, 95 %.
    """

    spearman: float
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
    low, high = _interval(_spearman_rows(estimate[indices], truth[indices]))
    tau_low, tau_high = _interval(_kendall_rows(estimate, truth, indices))
    within_low, within_high = _interval(_within_rows(estimate, truth, bands, _resamples_within(bands, rng)))
    return Agreement(
        spearman=spearman(estimate, truth),
        spearman_low=low,
        spearman_high=high,
        kendall=kendall(estimate, truth),
        kendall_low=tau_low,
        kendall_high=tau_high,
        spearman_within_bands=within_bands(estimate, truth, bands),
        spearman_within_bands_low=within_low,
        spearman_within_bands_high=within_high,
        band_spearman=tuple(spearman(estimate[bands == band], truth[bands == band]) for band in np.unique(bands)),
    )


def margin(estimate: Floats, baseline: Floats, truth: Floats, *, rng: np.random.Generator) -> Margin:
    """Compare how two estimates (N,) order the truth (N,), on the same resamples of networks.

    Raises:
        InputError: There are fewer than three networks, or a value is not finite.
    """
    _require_comparable(estimate, truth)
    _require_comparable(baseline, truth)
    indices = _resamples(len(truth), rng)
    ours, theirs = (_spearman_rows(values[indices], truth[indices]) for values in (estimate, baseline))
    low, high = _interval(ours - theirs)
    return Margin(difference=spearman(estimate, truth) - spearman(baseline, truth), low=low, high=high)


def margin_within_bands(
    estimate: Floats, baseline: Floats, truth: Floats, *, bands: NDArray[np.int64], rng: np.random.Generator
) -> Margin:
    """Compare how two estimates (N,) order the truth (N,) within bands of cost, on the same resamples.

    Over mixed costs any count of work orders networks well, and an estimate can hardly do better. Among networks of
    similar cost it must know something else. Networks are resampled within their bands (N,).

    Raises:
        InputError: There are fewer than three networks, or a value is not finite.
    """
    _require_comparable(estimate, truth)
    _require_comparable(baseline, truth)
    indices = _resamples_within(bands, rng)
    ours, theirs = (_within_rows(values, truth, bands, indices) for values in (estimate, baseline))
    low, high = _interval(ours - theirs)
    difference = within_bands(estimate, truth, bands) - within_bands(baseline, truth, bands)
    return Margin(difference=difference, low=low, high=high)


def beyond(estimate: Floats, baseline: Floats, truth: Floats, *, rng: np.random.Generator) -> Partial:
    """Partial rank correlation of an estimate (N,) and the truth (N,), given the baseline (N,).

    The partial correlation (r_et - r_eb r_tb) / sqrt((1 - r_eb^2) (1 - r_tb^2)) of ranks (Kendall 1942, for rho). It
    measures what an estimate adds to a baseline that is known anyway, such as MACs. A `margin` asks for more: that the
    estimate alone orders better than the baseline.

    Raises:
        InputError: There are fewer than three networks, or a value is not finite.
    """
    _require_comparable(estimate, truth)
    _require_comparable(baseline, truth)
    indices = _resamples(len(truth), rng)
    low, high = _interval(_partial_rows(estimate[indices], baseline[indices], truth[indices]))
    value = _partial_rows(estimate[None], baseline[None], truth[None])[0]
    return Partial(spearman=float(value), low=low, high=high)


def within_bands(estimate: Floats, truth: Floats, bands: NDArray[np.int64]) -> float:
    """Mean of Spearman's rho within bands (N,), weighted by their networks; a band that orders nothing is left out."""
    return float(_within_rows(estimate, truth, bands, np.arange(len(truth))[None])[0])


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rho of two lists (N,) with mean ranks for ties; NaN where one of them orders nothing."""
    if len(first) < 3:
        return float("nan")
    return float(_spearman_rows(np.asarray(first)[None], np.asarray(second)[None])[0])


def kendall(first: Floats, second: Floats) -> float:
    """Kendall's tau-b of two lists (N,); NaN where one of them orders nothing."""
    return float(_kendall_rows(first, second, np.arange(len(first))[None])[0])


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


def _spearman_rows(first: Floats, second: Floats) -> Floats:
    """Pearson's correlation of ranks, row by row of (R, N)."""
    ranks = [stats.rankdata(values, axis=1) for values in (first, second)]
    x, y = (rank - rank.mean(1, keepdims=True) for rank in ranks)
    return _ratio((x * y).sum(1), (x * x).sum(1) * (y * y).sum(1))


def _partial_rows(estimate: Floats, baseline: Floats, truth: Floats) -> Floats:
    """Partial correlation of ranks, row by row of (R, N)."""
    ours, theirs = _spearman_rows(estimate, baseline), _spearman_rows(truth, baseline)
    left = (1 - ours**2) * (1 - theirs**2)
    # An estimate that is the baseline in other units leaves a rounding error, which must count as nothing.
    return _ratio(_spearman_rows(estimate, truth) - ours * theirs, np.where(left > 1e-12, left, 0))


def _within_rows(estimate: Floats, truth: Floats, bands: NDArray[np.int64], rows: NDArray[np.int64]) -> Floats:
    """Mean rho within bands of the resamples `rows` (R, N), each of which keeps every place's band."""
    numbers, sizes = np.unique(bands, return_counts=True)
    found = np.full((len(numbers), len(rows)), np.nan)
    for index, number in enumerate(numbers):
        own = rows[:, bands == number]
        if sizes[index] >= 3:
            found[index] = _spearman_rows(estimate[own], truth[own])
    weights = np.where(np.isfinite(found), sizes[:, None], 0).astype(np.float64)
    total = weights.sum(0)
    mean = np.full(len(rows), np.nan)
    np.divide((np.nan_to_num(found) * weights).sum(0), total, out=mean, where=total > 0)
    return mean


def _kendall_rows(first: Floats, second: Floats, rows: NDArray[np.int64]) -> Floats:
    """tau-b of the resamples `rows` (R, N): pairs ordered alike less pairs ordered otherwise, ties taken out."""
    x, y = (np.sign(values[:, None] - values[None, :]) for values in (first, second))
    found = np.empty(len(rows))
    for index, row in enumerate(rows):
        a, b = x[np.ix_(row, row)], y[np.ix_(row, row)]
        found[index] = _ratio((a * b).sum()[None], ((a * a).sum() * (b * b).sum())[None])[0]
    return found


def _ratio(product: Floats, squares: Floats) -> Floats:
    """Divide by the root; NaN where nothing is ordered."""
    found = np.full(len(product), np.nan)
    np.divide(product, np.sqrt(squares), out=found, where=squares > 0)
    return found


def _resamples(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(0, count, (RESAMPLES, count))


def _resamples_within(bands: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw resamples (R, N) in which every place holds a network of that place's band."""
    found = np.empty((RESAMPLES, len(bands)), dtype=np.int64)
    for band in np.unique(bands):
        members = np.flatnonzero(bands == band)
        found[:, members] = members[rng.integers(0, len(members), (RESAMPLES, len(members)))]
    return found


def _interval(values: Floats) -> tuple[float, float]:
    """Percentiles of resampled values. Resamples without any order are left out, up to a tenth of them."""
    finite = np.isfinite(values)
    if finite.mean() < 1 - MISSING_SHARE:
        # With more left out, the rest would be a selection that suits the statistic.
        return float("nan"), float("nan")
    values = values[finite]
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
