"""Estimate units that a table lacks (other widths, other resolutions) from its entries of the same group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from edgenas.errors import TableError, explain
from edgenas.latency.keys import parse_key
from edgenas.latency.model.deviations import Places, Spread
from edgenas.latency.model.work import Trend, group
from edgenas.latency.table import RATIO_UNIT, Entry
from edgenas.latency.units import Unit

# A table does not keep the hyperparameters of its fit, so a fit's starting values are used.
_SPREAD = Spread()
# 165 units left out of shipped tables were estimated equally well from 50, 200 and 1,000 near ones (0.3 and 0.5 % off
# on average). The cost grows with the cube of the number.
_NEIGHBOURS = 200


class Interpolator:
    """Estimates times from a trend of work by group and from near entries.

    The trend is corrected by how far near entries deviate from it: the Gaussian process of the
    fit (`edgenas.latency.model.deviations`), on the logarithms of entries instead of sums over networks.
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """Prepare the trend.

        Args:
            entries: Of a table.
        """
        known = [(parse_key(key), entry) for key, entry in entries.items() if entry.ratio > 0]
        self._groups: dict[str, list[tuple[Unit, Entry]]] = {}
        for unit, entry in known:
            self._groups.setdefault(group(unit), []).append((unit, entry))
        self._trend = Trend.fit(
            [unit for unit, _ in known], np.array([entry.ratio * RATIO_UNIT for _, entry in known])
        )

    def entry(self, unit: Unit, *, where: str) -> Entry:
        """Estimate one unit.

        Args:
            unit: The unit.
            where: The layer that asks, for the error.

        Returns:
            An entry with no measured network, and the error of the estimate.

        Raises:
            TableError: The table has no entry of this kind, kernel and stride at all.
        """
        near = self._groups.get(group(unit), [])
        if not near:
            raise TableError(
                explain(
                    f"cannot interpolate {where}: the table has no {group(unit)} at all ({unit.key})",
                    remedy="Build a table for this space.",
                )
            )
        deviation, error = self._deviation(unit, near)
        ratio = float(self._trend.times([unit])[0]) * float(np.exp(deviation)) / RATIO_UNIT
        return Entry(ratio=round(ratio), error=round(ratio * error), networks=0)

    def _deviation(self, unit: Unit, near: list[tuple[Unit, Entry]]) -> tuple[float, float]:
        """Logarithm of time over trend: mean and standard deviation (Rasmussen & Williams 2006, eq. 2.25-2.26)."""
        names: dict[str, int] = {}
        asked, places = Places.of([unit], names), Places.of([other for other, _ in near], names)
        chosen = np.argsort(places.squares(asked)[:, 0], kind="stable")[:_NEIGHBOURS]
        places = places.at(chosen)
        times = np.array([near[index][1].ratio for index in chosen], dtype=np.float64)
        errors = np.array([near[index][1].error for index in chosen]) / times
        trend = np.maximum(self._trend.times([near[index][0] for index in chosen]), 1e-15) / RATIO_UNIT
        residual = np.log(times / trend)
        covariance = places.covariance(places, _SPREAD)
        covariance[np.diag_indices_from(covariance)] += _SPREAD.alone**2 + np.minimum(errors, 1.0) ** 2
        cross = asked.covariance(places, _SPREAD)[0]
        factor = cho_factor(covariance, lower=True)
        variance = _SPREAD.variance - float(cross @ cho_solve(factor, cross))
        return float(cross @ cho_solve(factor, residual)), float(np.sqrt(max(variance, 0.0)))
