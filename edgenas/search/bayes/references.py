"""Reference points of the hypervolume, if the user gave none. Letters: M objectives, S evaluations, P candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgenas.pareto import nondominated
from edgenas.search.gp.predicted import Predicted
from edgenas.types import Floats

_BEHIND = 0.05
"""How far the reference of the whole front lies behind it, in shares of the front's extent."""


def whole_front(feasible: Floats, predicted: Sequence[Predicted]) -> Floats:
    """A reference point behind the whole front, including its known and predicted ends.

    In every objective it is a little worse than the worst value of two sets: the members of the front, and the networks
    that are predicted to be the best in some objective.

    Args:
        feasible: (S, M), evaluations that meet the limits.
        predicted: M predictions over a pool (P).

    Returns:
        Reference (M,).
    """
    front = feasible[nondominated(feasible)]
    best, worst = front.min(axis=0), front.max(axis=0)
    ends = [int(np.argmin(one.mean)) for one in predicted]
    for m, one in enumerate(predicted):
        values = one.warp.backward(one.mean[ends])
        worst[m] = max(worst[m], float(values.max()))
        best[m] = min(best[m], float(values.min()))
    return worst + np.maximum(_BEHIND * (worst - best), 1e-9)


def region_of_interest(feasible: Floats, predicted: Sequence[Predicted], *, quartile: float) -> Floats:
    """A reference point around the end of the front that is good in the first objective.

    The first objective counts as the important one. Its reference is the predicted 75th percentile over the space, so
    the worst quarter of the space is of no interest. In each other objective the reference is 1.1 times a value: that
    of the network which is best in the first objective, or the largest prediction among the networks that may be better
    still in the first.

    Args:
        feasible: (S, M), evaluations that meet the limits.
        predicted: M predictions over a pool (P).
        quartile: Predicted 75th percentile of the first objective over the space.

    Returns:
        Reference (M,).
    """
    if feasible.shape[1] == 1:
        return feasible.max(axis=0) + 1.0
    best = feasible[np.argmin(feasible[:, 0])]
    reference = best.copy()
    reference[0] = max(quartile, float(best[0]) + 1e-9 * abs(float(best[0])))
    promising = predicted[0].optimistic(1.0) < best[0]
    for m, one in enumerate(predicted[1:], start=1):
        if promising.any():
            reference[m] = max(float(best[m]), float(one.warp.backward(one.mean[promising]).max()))
    reference[1:] += np.maximum(0.1 * np.abs(reference[1:]), 1e-9)
    return reference
