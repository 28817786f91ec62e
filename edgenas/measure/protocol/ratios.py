"""From visits to ratios: the latency of each network over that of the reference network, with its standard error.

A session stays faster or slower than other sessions of the same file until it is closed. The difference is half a
percent on a quiet machine and 2 % where others fill the memory. The sessions of the reference differ as much. A ratio
to the reference session of the same visit cancels disturbances of that moment, but contains the error of that one
session. A ratio to the median of the reference sessions around the visit contains less of that error, but does not
cancel the disturbances. Which is better depends on the machine and the time. So the divisor mixes both, and the
measurements choose the share of each (`SHARES`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgenas.measure.protocol.visit import Visit
from edgenas.types import Floats

# A reference so many seconds away counts 1 / e as much. Clocks drift by percents within a minute.
# Chosen, not measured: less than the minute within which clocks drift.
_MEMORY_SECONDS = 15.0
# Weights of the visit's own reference against the references around it, to choose from.
# Chosen, not measured: a grid; `Ratios.steadiest` picks the share that repeats best.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
# A small network's session may run 60 % slower because of the place of its memory. A visit whose sessions are this far
# apart is not used.
# Chosen, not measured: far above the 1 % that visits of a quiet machine differ by.
_DISTURBED = 0.12
# Chosen, not measured: two visits alone say little about a variance.
_PRIOR_VISITS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratios:
    """Latency ratios of networks from all their visits.

    Attributes:
        by_visit: Of each of n networks, the ratio of every visit that can be trusted; at least one.
        reference_ms: Median latency of the reference over all visits.
    """

    by_visit: tuple[Floats, ...]
    reference_ms: float

    @classmethod
    def of(cls, visits: Sequence[Sequence[Visit]], *, own_share: float) -> Ratios:
        """Divide latencies by the reference.

        Args:
            visits: Of each network, at least one.
            own_share: One of `SHARES`: 1 takes the visit's own reference, 0 the median of those around it.
        """
        return _ratios(visits, _Clock(visits), own_share)

    @classmethod
    def steadiest(cls, visits: Sequence[Sequence[Visit]]) -> Ratios:
        """Divide latencies by the reference, with the share at which networks repeat best.

        Args:
            visits: Of each network, at least one; of several networks two or more, for there to be a choice.
        """
        clock = _Clock(visits)
        found = [_ratios(visits, clock, share) for share in reversed(SHARES)]
        return min(found, key=lambda ratios: ratios.noise)

    @property
    def combined(self) -> Floats:
        """(n,) ratio of each network: the median (mean of two) of its visits."""
        return np.array([np.median(found) for found in self.by_visit])

    @property
    def noise(self) -> float:
        """Relative standard deviation of a network's ratio between visits; NaN without two visits of any network."""
        several = [np.log(found) for found in self.by_visit if len(found) > 1]
        freedom = sum(len(found) - 1 for found in several)
        squares = sum(float(((found - found.mean()) ** 2).sum()) for found in several)
        return math.sqrt(squares / freedom) if freedom else float("nan")

    @property
    def errors(self) -> Floats:
        """(n,) relative standard errors of `combined`.

        The variance of a network's own visits is shrunk towards the noise of all networks, since two visits say little
        about a variance. The common noise counts as much as four visits. The errors are NaN if no network was visited
        twice.
        """
        prior = self.noise**2
        return np.array([_standard_error(np.log(found), prior) for found in self.by_visit])


def disturbed(visit: Visit) -> bool:
    """Whether the sessions of a visit are too far apart to be trusted."""
    return bool(max(visit.sessions_ms) > (1 + _DISTURBED) * min(visit.sessions_ms))


def trusted(visits: Sequence[Visit]) -> list[Visit]:
    """Return the undisturbed visits of a network; all of them where every one was disturbed."""
    return [visit for visit in visits if not disturbed(visit)] or list(visits)


class _Clock:
    """Logarithms of the reference's latency in each visit, and around it."""

    def __init__(self, visits: Sequence[Sequence[Visit]]) -> None:
        every = [visit for found in visits for visit in found]
        times = np.array([visit.at for visit in every])
        own = np.log([visit.reference_ms for visit in every])
        near = np.exp(-np.abs(times[:, None] - times) / _MEMORY_SECONDS)
        self.median = float(np.median(own))
        self.own = {id(visit): value for visit, value in zip(every, own.tolist(), strict=True)}
        around = _weighted_medians(own, near).tolist()
        self.around = {id(visit): value for visit, value in zip(every, around, strict=True)}

    def reference_ms(self, visit: Visit, own_share: float) -> float:
        """Estimated latency of the reference in the conditions of a visit."""
        return math.exp(own_share * self.own[id(visit)] + (1 - own_share) * self.around[id(visit)])


def _ratios(visits: Sequence[Sequence[Visit]], clock: _Clock, own_share: float) -> Ratios:
    return Ratios(
        by_visit=tuple(
            np.array([visit.latency_ms / clock.reference_ms(visit, own_share) for visit in trusted(found)])
            for found in visits
        ),
        reference_ms=math.exp(clock.median),
    )


def _standard_error(logarithms: Floats, prior: float) -> float:
    count = len(logarithms)
    squares = float(((logarithms - logarithms.mean()) ** 2).sum())
    return math.sqrt((_PRIOR_VISITS * prior + squares) / (_PRIOR_VISITS + count - 1) / count)


def _weighted_medians(values: Floats, weights: Floats) -> Floats:
    """Median (N,) of values (M,) by each row of weights (N, M), interpolated between the values around it."""
    order = np.argsort(values)
    ordered, sorted_weights = values[order], weights[:, order]
    # Half of a value's own weight counts as lying below it.
    below = np.cumsum(sorted_weights, axis=1) - 0.5 * sorted_weights
    half = 0.5 * weights.sum(axis=1)
    return np.array([np.interp(middle, row, ordered) for middle, row in zip(half, below, strict=True)])
