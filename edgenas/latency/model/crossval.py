"""How wrong a fit is. Every network is predicted by a fit without it; trend and hyperparameters are fitted anew too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from edgenas.latency.model.process import UnitFit
from edgenas.latency.units import Unit
from edgenas.types import Floats

LEVEL = 0.9
_NORMAL_90 = 1.6448536269514722
# Up to this many networks, each is left out alone. More networks are split into this many parts, and each part is left
# out in turn.
_ALONE = 24
_PARTS = 12
# Fewer drawn networks than the first number are not used alone. Fewer than the second are a small sample.
_FEW, _ENOUGH = 10, 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeftOut:
    """Errors of predictions for m networks that were left out.

    Attributes:
        error: (m,) relative to the measured ratio.
        unexplained: (m,) absolute relative error beyond the errors that the estimates of unmeasured units state
            themselves.
        by_macs: (m,) relative error of a line on MACs, fitted to the same networks.
        drawn: (m,) whether it was drawn as a search draws. Networks chosen for coverage are deep and uniform, hence
            easier to predict.
    """

    error: Floats
    unexplained: Floats
    by_macs: Floats
    drawn: NDArray[np.bool_]

    @property
    def median(self) -> float:
        """Median absolute error."""
        return float(np.median(np.abs(self.error)))

    @property
    def median_by_macs(self) -> float:
        """Median absolute error of the line on MACs."""
        return float(np.median(np.abs(self.by_macs)))

    def quantile(self) -> float:
        """The half width that holds `LEVEL` of networks like the drawn ones.

        It is the ceil((m + 1) level)-th smallest error, as in split conformal prediction (Vovk 2005). It uses the drawn
        networks, or all networks if fewer than ten were drawn. Few drawn networks say little, and errors of networks
        chosen for coverage are too small. So with fewer than twenty drawn ones it is at least the prediction interval
        of a normal distribution with the variance of the drawn errors (Student's t). That interval widens as their
        number falls.
        """
        drawn = self.unexplained[self.drawn]
        many = len(drawn) >= _FEW
        found = _conformal(drawn if many else self.unexplained)
        if len(drawn) >= _ENOUGH or not len(drawn):
            return found
        deviation = math.sqrt(float((drawn**2).mean()) * (1 + 1 / len(drawn)))
        return max(found, float(student_t.ppf((1 + LEVEL) / 2, len(drawn))) * deviation)


def _conformal(errors: Floats) -> float:
    """With fewer than nine errors there is no quantile at 90 %. The largest error is then widened in proportion."""
    ordered = np.sort(errors)
    rank = math.ceil((len(ordered) + 1) * LEVEL)
    return float(ordered[rank - 1]) if rank <= len(ordered) else float(ordered[-1]) * rank / len(ordered)


def cross_validate(
    units: Sequence[Unit],
    counts: Floats,
    ratios: Floats,
    *,
    drawn: NDArray[np.bool_],
    noise: float = 0.0,
    visits: Floats | None = None,
) -> LeftOut:
    """Fit again and again without some networks and predict those; see `UnitFit` for the arguments.

    Args:
        units: (U,) units.
        counts: (n, U) how often each network contains each unit.
        ratios: (n,) measured ratios.
        drawn: (n,) which networks were drawn as a search draws.
        noise: Relative standard deviation of a ratio.
        visits: (n,) how often each was measured.
    """
    count = len(ratios)
    often = np.ones(count) if visits is None else visits
    parts = count if count <= _ALONE else _PARTS
    found: list[Floats] = []
    for part in range(parts):
        left = np.arange(count) % parts == part
        found.append(_errors(units, counts, ratios, left=left, noise=noise, visits=often))
    order = np.concatenate([np.flatnonzero(np.arange(count) % parts == part) for part in range(parts)])
    error, announced, by_macs = np.concatenate(found, axis=1)[:, np.argsort(order)]
    # The network has a unit that no other has. A fit without it knows nothing of that unit, and its table would lack
    # it.
    known = np.isfinite(error)
    # The interval has the announced error in quadrature: a network is inside where this is below the half width.
    unexplained = np.sqrt(np.maximum(error**2 - (_NORMAL_90 * announced) ** 2, 0.0))
    return LeftOut(error=error[known], unexplained=unexplained[known], by_macs=by_macs[known], drawn=drawn[known])


def _errors(
    units: Sequence[Unit],
    counts: Floats,
    ratios: Floats,
    *,
    left: NDArray[np.bool_],
    noise: float,
    visits: Floats,
) -> Floats:
    """(3, m): relative error, NaN where impossible; announced error of unmeasured units; relative error by MACs."""
    known = ~left
    seen = counts[known].sum(axis=0) > 0
    measured = [units[place] for place in np.flatnonzero(seen).tolist()]
    fit = UnitFit(measured, counts[known][:, seen], ratios[known], noise=noise, visits=visits[known])
    times, errors = fit.times(units)
    rows = counts[left]
    unknown = np.isnan(times)
    predicted = rows @ np.where(unknown, 0.0, times) + fit.constant + fit.per_unit * rows.sum(axis=1)
    predicted[(rows[:, unknown] > 0).any(axis=1)] = np.nan
    announced = np.sqrt(rows @ np.where(seen | unknown, 0.0, errors) ** 2) / ratios[left]
    amounts = np.column_stack([counts @ np.array([unit.macs for unit in units]) / 1e6, np.ones(len(counts))])
    line, *_ = np.linalg.lstsq(amounts[known] / ratios[known][:, None], np.ones(int(known.sum())), rcond=None)
    return np.array([predicted / ratios[left] - 1, announced, amounts[left] @ line / ratios[left] - 1])
