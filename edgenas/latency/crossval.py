"""How wrong a fit is: every network predicted by a fit that never saw it, trend and hyperparameters included."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgenas.latency.fit import UnitFit
from edgenas.latency.units import Unit

FloatArray = NDArray[np.float64]

LEVEL = 0.9
_NORMAL_90 = 1.6448536269514722
# Up to so many networks each is left out alone; of more, so many parts are left out one after the other.
_ALONE = 24
_PARTS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeftOut:
    """Errors of predictions for m networks that were left out.

    Attributes:
        error: (m,) relative to the measured ratio.
        unexplained: (m,) absolute relative error beyond what unmeasured units announce of their own.
        by_macs: (m,) relative error of a line on MACs, fitted to the same networks.
    """

    error: FloatArray
    unexplained: FloatArray
    by_macs: FloatArray

    @property
    def median(self) -> float:
        """Median absolute error."""
        return float(np.median(np.abs(self.error)))

    @property
    def median_by_macs(self) -> float:
        """Median absolute error of the line on MACs."""
        return float(np.median(np.abs(self.by_macs)))

    def quantile(self) -> float:
        """The half width that holds `LEVEL` of networks like these, as split conformal prediction (Vovk 2005) has it.

        It is the ceil((m + 1) level)-th smallest error. With fewer than nine networks there is none: the largest is
        then widened in proportion.
        """
        ordered = np.sort(self.unexplained)
        rank = math.ceil((len(ordered) + 1) * LEVEL)
        return float(ordered[rank - 1]) if rank <= len(ordered) else float(ordered[-1]) * rank / len(ordered)


def cross_validate(
    units: Sequence[Unit],
    counts: FloatArray,
    ratios: FloatArray,
    *,
    tested: NDArray[np.bool_],
    noise: float = 0.0,
    visits: FloatArray | None = None,
) -> LeftOut:
    """Fit again and again without some networks and predict those; see `UnitFit` for the arguments.

    Args:
        units: (U,) units.
        counts: (n, U) how often each network contains each unit.
        ratios: (n,) measured ratios.
        tested: (n,) which networks' errors are wanted; the others are left out in their turn, and not judged.
        noise: Relative standard deviation of a ratio.
        visits: (n,) how often each was measured.
    """
    count = len(ratios)
    often = np.ones(count) if visits is None else visits
    parts = count if count <= _ALONE else _PARTS
    found: list[FloatArray] = []
    for part in range(parts):
        left = np.arange(count) % parts == part
        wanted = left & tested
        if wanted.any():
            found.append(_errors(units, counts, ratios, known=~left, wanted=wanted, noise=noise, visits=often))
    error, announced, by_macs = np.concatenate(found, axis=1)
    # The interval has the announced error in quadrature: a network is inside where this is below the half width.
    unexplained = np.sqrt(np.maximum(error**2 - (_NORMAL_90 * announced) ** 2, 0.0))
    return LeftOut(error=error, unexplained=unexplained, by_macs=by_macs)


def _errors(
    units: Sequence[Unit],
    counts: FloatArray,
    ratios: FloatArray,
    *,
    known: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    noise: float,
    visits: FloatArray,
) -> FloatArray:
    """(3, m): relative error, announced error of unmeasured units, relative error by MACs."""
    seen = counts[known].sum(axis=0) > 0
    measured = [units[place] for place in np.flatnonzero(seen).tolist()]
    fit = UnitFit(measured, counts[known][:, seen], ratios[known], noise=noise, visits=visits[known])
    times, errors = fit.times(units)
    rows = counts[wanted]
    # A unit of a kind that no other network has: nothing is known about it, and the table would not have it either.
    unknown = np.isnan(times)
    predicted = rows @ np.where(unknown, 0.0, times) + fit.constant + fit.per_unit * rows.sum(axis=1)
    announced = np.sqrt(rows @ np.where(seen | unknown, 0.0, errors) ** 2) / ratios[wanted]
    possible = ~(rows[:, unknown] > 0).any(axis=1)
    amounts = np.column_stack([counts @ np.array([unit.macs for unit in units]) / 1e6, np.ones(len(counts))])
    line, *_ = np.linalg.lstsq(amounts[known] / ratios[known][:, None], np.ones(int(known.sum())), rcond=None)
    by_macs = amounts[wanted] @ line
    return np.array([predicted / ratios[wanted] - 1, announced, by_macs / ratios[wanted] - 1])[:, possible]
