"""From measured networks to times of units: a Gaussian process over units, observed through sums over networks.

The time of a unit is its trend (non-negative rates of work, `work.Trend`) times 1 + a deviation. Deviations are a
Gaussian process: a part shared by all units, one by group, one that varies smoothly with sizes, and one of the unit
alone. A measured network gives the sum of its units' times, plus a constant and an overhead per unit, with relative
noise. The posterior of all times given all sums is in closed form (Rasmussen & Williams 2006, eq. 2.25-2.26; linear
functionals of a Gaussian process). Trend and hyperparameters are fitted to the same networks. So the error of
predictions shows only on networks that were left out of the whole fit: `edgenas.latency.model.crossval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack
from scipy.optimize import minimize

from edgenas.latency.model.deviations import Places, Spread
from edgenas.latency.model.work import Trend
from edgenas.latency.units import Unit
from edgenas.types import Floats

# Chosen, not measured: bounds the memory of a batch of predictions.
_CHUNK = 1024
# Least time of a unit as a share of a network, so that relative deviations have a base.
# Chosen, not measured: far below any unit's share.
_LEAST_TIME = 1e-7
# Standard deviations of a run's own cost and of the overhead of all its units together, as shares of a typical network.
# Chosen, not measured: a wide prior.
_EXTRA = 0.05
_SEARCHED = ("smooth", "alone", "noise")
# Chosen, not measured: a grid of distances in the logarithms of sizes; the likelihood picks one.
_LENGTHS = (0.7, 1.2, 2.0, 3.5, 6.0)
# Widths of the priors, natural logarithm: the noise is known from repeated visits, the others are guesses.
_PRIOR = np.array([1.5, 1.5, 0.5])
# Chosen, not measured: a wide prior.
_LENGTH_PRIOR = 1.5
# Chosen, not measured: bounds of smooth, alone and noise as shares of a network.
_LOW, _HIGH = np.log([0.02, 0.005, 0.003]), np.log([0.6, 0.3, 0.2])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """Covariances (n, n) of sums over networks, one for each part of the process at unit variance."""

    shared: Floats
    by_group: Floats
    smooth: dict[float, Floats]
    alone: Floats
    rest: Floats
    noise: Floats

    @classmethod
    def of(cls, rows: Floats, places: Places, *, extra: Floats, weights: Floats) -> _Sums:
        """Sum over units; every part but the shared one is zero between groups."""
        count = len(rows)
        by_group = np.zeros((count, count))
        smooth = {length: np.zeros((count, count)) for length in _LENGTHS}
        for name in np.unique(places.groups):
            own = places.groups == name
            part, members = rows[:, own], places.at(own)
            by_group += np.outer(part.sum(axis=1), part.sum(axis=1))
            squares = members.squares(members)
            for length, found in smooth.items():
                found += part @ np.exp(-0.5 * squares / length**2) @ part.T
        total = rows.sum(axis=1)
        return cls(
            shared=np.outer(total, total), by_group=by_group, smooth=smooth, alone=rows @ rows.T,
            rest=extra @ extra.T, noise=np.diag(weights),
        )  # fmt: skip

    def covariance(self, spread: Spread) -> Floats:
        """Covariance (n, n) of measured networks."""
        return (
            spread.shared**2 * self.shared
            + spread.by_group**2 * self.by_group
            + spread.smooth**2 * self.smooth[spread.length]
            + spread.alone**2 * self.alone
            + self.rest
            + spread.noise**2 * self.noise
        )


class UnitFit:
    """Times of units that explain measured networks.

    Attributes:
        constant: Time of a run besides its units.
        per_unit: Overhead of a unit.
        spread: Hyperparameters found by maximum likelihood.
        left_out: (n,) measured latency minus its prediction from all other networks, as a share of the measurement (eq.
            5.12). Trend and hyperparameters were fitted with the network, so the value compares fits. It is not an
            error of the table.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        counts: Floats,
        ratios: Floats,
        *,
        noise: float = 0.0,
        visits: Floats | None = None,
    ) -> None:
        """Fit.

        Args:
            units: (U,) distinct units that the networks contain.
            counts: (n, U) how often each network contains each unit.
            ratios: (n,) measured latency ratios, positive.
            noise: Relative standard deviation of a typical ratio as seen between sessions; 0 where unknown.
            visits: (n,) how often each was measured; all alike if None.
        """
        self._names: dict[str, int] = {}
        self._units = {unit: place for place, unit in enumerate(units)}
        self._trend = Trend.fit(units, ratios, counts=counts)
        self._floor = _LEAST_TIME * float(ratios.mean())
        self._places = Places.of(units, self._names)
        # Everything is relative: times of units to their trend, sums of networks to their measured ratio.
        self._rows = counts * self._base(units) / ratios[:, None]
        number = counts.sum(axis=1)
        extra_spread = _EXTRA * float(np.median(ratios)) / np.array([1.0, float(np.median(number))])
        extra = np.column_stack([np.ones(len(ratios)), number]) / ratios[:, None]
        weights = np.ones(len(ratios)) if visits is None else float(np.mean(visits)) / visits
        sums = _Sums.of(self._rows, self._places, extra=extra * extra_spread, weights=weights)
        residual = 1.0 - self._rows.sum(axis=1)
        self.spread = _most_likely(sums, residual, Spread(noise=noise) if noise else Spread())
        self._factor = cho_factor(sums.covariance(self.spread), lower=True)
        self._weights = cho_solve(self._factor, residual)
        self.left_out = self._weights / np.diag(cho_solve(self._factor, np.eye(len(ratios))))
        found = extra_spread**2 * (extra.T @ self._weights)
        self.constant, self.per_unit = float(found[0]), float(found[1])

    def times(self, units: Sequence[Unit]) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of units' times, measured or not.

        Args:
            units: (V,) units; one of a group that no measured network contains is estimated from other groups, with
                an error of at least its own size (`Trend.of_strangers`).

        Returns:
            (V,) times, not negative, and (V,) errors.
        """
        parts = [self._chunk(units[start : start + _CHUNK]) for start in range(0, len(units), _CHUNK)]
        return np.concatenate([times for times, _ in parts]), np.concatenate([errors for _, errors in parts])

    def _chunk(self, units: Sequence[Unit]) -> tuple[Floats, Floats]:
        spread, places = self.spread, Places.of(units, self._names)
        covariance = places.covariance(self._places, spread)
        for row, unit in enumerate(units):
            if unit in self._units:
                covariance[row, self._units[unit]] += spread.alone**2
        cross = covariance @ self._rows.T
        variance = spread.variance - np.einsum("un,nu->u", cross, cho_solve(self._factor, cross.T))
        base = self._base(units)
        times = np.maximum(0.0, base * (1.0 + cross @ self._weights))
        errors = base * np.sqrt(np.maximum(variance, 0.0))
        strange = np.isnan(base)
        if strange.any():
            found = self._trend.of_strangers([units[place] for place in np.flatnonzero(strange).tolist()])
            times[strange], errors[strange] = (np.maximum(values, self._floor) for values in found)
        return times, errors

    def _base(self, units: Sequence[Unit]) -> Floats:
        """Trend times (U,), never zero: the unit in which a deviation counts."""
        return np.maximum(self._trend.times(units), self._floor)


def _most_likely(sums: _Sums, residual: Floats, start: Spread) -> Spread:
    """Maximise the marginal likelihood (eq. 2.30, 5.9) over four of the six numbers, with weak log-normal priors."""
    first = np.log([getattr(start, name) for name in _SEARCHED])
    bounds = list(zip(_LOW.tolist(), _HIGH.tolist(), strict=True))

    def at(point: Floats, length: float) -> Spread:
        changes: dict[str, Any] = {name: float(value) for name, value in zip(_SEARCHED, np.exp(point), strict=True)}
        return replace(start, length=length, **changes)

    def loss(point: Floats, length: float) -> tuple[float, Floats]:
        spread = at(point, length)
        lower, _ = lapack.dpotrf(sums.covariance(spread), lower=1)
        weights, _ = lapack.dpotrs(lower, residual, lower=1)
        inverse, _ = lapack.dpotri(lower, lower=1)
        slope = np.tril(inverse) + np.tril(inverse, -1).T - np.outer(weights, weights)
        parts = (spread.smooth**2 * sums.smooth[length], spread.alone**2 * sums.alone, spread.noise**2 * sums.noise)
        unlikely = (point - first) / _PRIOR
        value = 0.5 * float(residual @ weights) + float(np.log(np.diag(lower)).sum()) + 0.5 * float(unlikely @ unlikely)
        return value, np.array([float((slope * part).sum()) for part in parts]) + unlikely / _PRIOR

    best: tuple[float, Spread] | None = None
    for length in _LENGTHS:
        found = minimize(
            loss, np.clip(first, _LOW, _HIGH), args=(length,), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 20},
        )  # fmt: skip
        value = float(found.fun) + 0.5 * float(np.log(length / start.length) / _LENGTH_PRIOR) ** 2
        if best is None or value < best[0]:
            best = (value, at(found.x, length))
    assert best is not None
    return best[1]
