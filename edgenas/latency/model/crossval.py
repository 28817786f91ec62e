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

# Chosen, not measured: the level of the stated intervals, a convention.
LEVEL = 0.9
# A fact: the two-sided 90 % quantile of the normal distribution.
_NORMAL_90 = 1.6448536269514722
# Up to this many networks, each is left out alone. More are split into this many parts, and each part is left out in
# turn. Twelve leave 92 % of the networks to each fit, and their cost is that of twelve fits however many networks there
# are (`benchmarks/latency_coverage.py` holds the intervals that follow against true latencies).
_PARTS = 12
# Share of the jackknife's standard deviation that counts. With all of it 16 to 24 networks covered 96 to 99 % on
# made-up devices of an independent law, with this 94 to 97 %.
_OF_JACKKNIFE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeftOut:
    """Errors of predictions for m networks that were left out.

    Attributes:
        error: (m,) relative to the measured ratio, which has its own error.
        measured_error: (m,) relative standard errors of the measured ratios.
        by_macs: (m,) relative error of a line on MACs, fitted to the same networks.
        drawn: (m,) whether it was drawn as a search draws. Networks chosen for coverage are deep and uniform, hence
            easier to predict.
        unsteadiness: Relative standard deviation of predictions for other networks, by the jackknife: how far they move
            when parts of the measurements are left out. It knows the noise that reached the fit.
    """

    error: Floats
    measured_error: Floats
    by_macs: Floats
    drawn: NDArray[np.bool_]
    unsteadiness: float = 0.0

    @property
    def median(self) -> float:
        """Median absolute error."""
        return float(np.median(np.abs(self.error)))

    @property
    def median_by_macs(self) -> float:
        """Median absolute error of the line on MACs."""
        return float(np.median(np.abs(self.by_macs)))

    def quantile(self) -> float:
        """The half width that holds the true latencies of `LEVEL` of networks like the drawn ones.

        It is Student's t prediction interval for the errors of the drawn networks (of all, if fewer than two were
        drawn), less what the measurements themselves are off:

            sqrt(t(m)^2 (1 + 1 / m) mean(error^2) - z^2 mean(measured_error^2))

        The errors count as they are: what the fit believes of itself is not subtracted. The difference is uncertain
        where most of the error is noise, so the half width is at least z times 0.8 of the `unsteadiness`.
        """
        chosen = self.drawn if self.drawn.sum() >= 2 else np.ones(len(self.error), dtype=bool)
        errors, number = self.error[chosen], int(chosen.sum())
        wide = float(student_t.ppf((1 + LEVEL) / 2, number)) ** 2 * (1 + 1 / number) * float((errors**2).mean())
        wide -= _NORMAL_90**2 * float((self.measured_error[chosen] ** 2).mean())
        return max(math.sqrt(max(wide, 0.0)), _NORMAL_90 * _OF_JACKKNIFE * self.unsteadiness)


def cross_validate(
    units: Sequence[Unit],
    counts: Floats,
    ratios: Floats,
    *,
    drawn: NDArray[np.bool_],
    others: Floats,
    noise: float = 0.0,
    visits: Floats | None = None,
) -> LeftOut:
    """Fit again and again without some networks and predict those; see `UnitFit` for the arguments.

    Args:
        units: (U,) units.
        counts: (n, U) how often each network contains each unit.
        ratios: (n,) measured ratios.
        drawn: (n,) which networks were drawn as a search draws.
        others: (k, U) networks that were not measured, drawn as a search draws; each fit predicts them too.
        noise: Relative standard deviation of a typical ratio.
        visits: (n,) how often each was measured.
    """
    count = len(ratios)
    often = np.ones(count) if visits is None else visits
    parts = min(count, _PARTS)
    found = [
        _without(units, counts, ratios, left=np.arange(count) % parts == part, others=others, noise=noise, visits=often)
        for part in range(parts)
    ]
    order = np.argsort(np.concatenate([np.flatnonzero(np.arange(count) % parts == part) for part in range(parts)]))
    error, by_macs = np.concatenate([part.errors for part in found], axis=1)[:, order]
    # A fit finds the noise too, from all networks and not from the few that were visited twice. The smaller one is
    # taken, so that too much noise is never subtracted.
    noises = [part.noise for part in found]
    typical = min(noise, float(np.mean(noises))) if noise else float(np.mean(noises))
    # The network has a unit that no other has. A fit without it knows nothing of that unit, and its table would lack
    # it.
    known = np.isfinite(error)
    return LeftOut(
        error=error[known],
        measured_error=(typical * np.sqrt(often.mean() / often))[known],
        by_macs=by_macs[known],
        drawn=drawn[known],
        unsteadiness=_unsteadiness(np.array([part.others for part in found])),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """Without m networks: errors (2, m) of their predictions and by MACs, predictions (k,) of others, noise found."""

    errors: Floats
    others: Floats
    noise: float


def _without(
    units: Sequence[Unit],
    counts: Floats,
    ratios: Floats,
    *,
    left: NDArray[np.bool_],
    others: Floats,
    noise: float,
    visits: Floats,
) -> _Part:
    """Fit without some networks. Errors are NaN where a prediction is impossible."""
    known = ~left
    seen = counts[known].any(axis=0)
    measured = [units[place] for place in np.flatnonzero(seen).tolist()]
    fit = UnitFit(measured, counts[known][:, seen], ratios[known], noise=noise, visits=visits[known])
    asked = np.vstack([counts[left], others])
    used = np.flatnonzero(asked.any(axis=0))
    times, _ = fit.times([units[place] for place in used.tolist()])
    predicted = asked[:, used] @ times + fit.constant + fit.per_unit * asked.sum(axis=1)
    amounts = np.column_stack([counts @ np.array([unit.macs for unit in units]) / 1e6, np.ones(len(counts))])
    line, *_ = np.linalg.lstsq(amounts[known] / ratios[known][:, None], np.ones(int(known.sum())), rcond=None)
    own = int(left.sum())
    errors = np.array([predicted[:own], amounts[left] @ line]) / ratios[left] - 1
    return _Part(errors=errors, others=predicted[own:], noise=fit.spread.noise)


def _unsteadiness(predictions: Floats) -> float:
    """Relative standard deviation of predictions by the grouped jackknife (Efron 1982, ch. 3).

    Args:
        predictions: (G, k) of k networks, each time without one of G parts of the measurements.
    """
    groups = len(predictions)
    middle = predictions.mean(axis=0)
    variances = (groups - 1) / groups * ((predictions / middle - 1) ** 2).sum(axis=0)
    return math.sqrt(float(variances.mean())) if predictions.size else 0.0
