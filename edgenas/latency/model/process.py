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
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from edgenas.latency.model.work import Trend, group, position
from edgenas.latency.units import Unit
from edgenas.types import Floats

_CHUNK = 1024
# Standard deviations of a run's own cost and of the overhead of all its units together, as shares of a typical network.
_EXTRA = 0.05
_SEARCHED = ("smooth", "alone", "noise")
_LENGTHS = (0.7, 1.2, 2.0, 3.5, 6.0)
# Widths of the priors, natural logarithm: the noise is known from repeated visits, the others are guesses.
_PRIOR = np.array([1.5, 1.5, 0.5])
_LENGTH_PRIOR = 1.5
_LOW, _HIGH = np.log([0.02, 0.005, 0.003]), np.log([0.6, 0.3, 0.2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations, all relative, and the length of the process.

    Attributes:
        shared: Of all units together (the scale of the trend).
        by_group: Of a group of units.
        smooth: Of the part that varies with sizes.
        length: Distance in `work.position` over which that part's correlation falls.
        alone: Of a unit by itself.
        noise: Of a measured network.
    """

    shared: float = 0.3
    by_group: float = 0.2
    smooth: float = 0.2
    length: float = 2.0
    alone: float = 0.05
    noise: float = 0.015


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Places:
    """Where units lie for the process: group numbers (U,) and positions (U, P)."""

    groups: NDArray[np.int64]
    positions: Floats

    @classmethod
    def of(cls, units: Sequence[Unit], names: dict[str, int]) -> _Places:
        numbers = [names.setdefault(group(unit), len(names)) for unit in units]
        return cls(groups=np.array(numbers), positions=np.array([position(unit) for unit in units]))

    def squares(self, other: _Places) -> Floats:
        found = (self.positions**2).sum(axis=1)[:, None] + (other.positions**2).sum(axis=1)
        return np.maximum(found - 2 * self.positions @ other.positions.T, 0.0)

    def part(self, members: NDArray[np.bool_]) -> _Places:
        return _Places(groups=self.groups[members], positions=self.positions[members])

    def covariance(self, other: _Places, spread: Spread) -> Floats:
        """Of deviations of these units with the others' (U, V), without the part of a unit alone."""
        smooth = spread.smooth**2 * np.exp(-0.5 * self.squares(other) / spread.length**2)
        same = self.groups[:, None] == other.groups
        return same * (spread.by_group**2 + smooth) + spread.shared**2


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
    def of(cls, rows: Floats, places: _Places, *, extra: Floats, weights: Floats) -> _Sums:
        """Sum over units; every part but the shared one is zero between groups."""
        count = len(rows)
        by_group = np.zeros((count, count))
        smooth = {length: np.zeros((count, count)) for length in _LENGTHS}
        for name in np.unique(places.groups):
            own = places.groups == name
            part, members = rows[:, own], places.part(own)
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
        self._units = {unit.key: place for place, unit in enumerate(units)}
        self._trend = Trend.fit(units, ratios, counts=counts)
        self._floor = 1e-7 * float(ratios.mean())
        self._places = _Places.of(units, self._names)
        # Everything is relative: times of units to their trend, sums of networks to their measured ratio.
        self._rows = counts * self._base(units) / ratios[:, None]
        number = counts.sum(axis=1)
        typical = float(np.median(ratios))
        extra = np.column_stack([np.ones(len(ratios)), number]) / ratios[:, None]
        extra_spread = _EXTRA * typical / np.array([1.0, float(np.median(number))])
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
        spread, places = self.spread, _Places.of(units, self._names)
        covariance = places.covariance(self._places, spread)
        for row, unit in enumerate(units):
            if unit.key in self._units:
                covariance[row, self._units[unit.key]] += spread.alone**2
        cross = covariance @ self._rows.T
        own = spread.shared**2 + spread.by_group**2 + spread.smooth**2 + spread.alone**2
        variance = own - np.einsum("un,nu->u", cross, cho_solve(self._factor, cross.T))
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
    """Maximise the marginal likelihood (eq. 2.30) over four of the six numbers, with weak log-normal priors."""
    first = np.log([getattr(start, name) for name in _SEARCHED])
    options = {"maxfev": 40, "xatol": 0.05, "fatol": 0.05}

    def at(point: Floats, length: float) -> Spread:
        values = np.exp(np.clip(point, _LOW, _HIGH))
        changes: dict[str, Any] = {name: float(value) for name, value in zip(_SEARCHED, values, strict=True)}
        return replace(start, length=length, **changes)

    def loss(point: Floats, length: float) -> float:
        lower, _ = factor = cho_factor(sums.covariance(at(point, length)), lower=True)
        fit = 0.5 * float(residual @ cho_solve(factor, residual)) + float(np.log(np.diag(lower)).sum())
        unlikely = ((point - first) / _PRIOR) ** 2
        return fit + 0.5 * float(unlikely.sum()) + 0.5 * float(np.log(length / start.length) / _LENGTH_PRIOR) ** 2

    best: tuple[float, Spread] | None = None
    for length in _LENGTHS:
        found = minimize(loss, first, args=(length,), method="Nelder-Mead", options=options)
        if best is None or found.fun < best[0]:
            best = (float(found.fun), at(found.x, length))
    assert best is not None
    return best[1]
