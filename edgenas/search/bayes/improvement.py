"""Expected hypervolume improvement, exact for any number of objectives whose predictions are independent.

The region that a front does not dominate is cut into boxes. The improvement by a point y is the sum over boxes of the
volume of each box that y dominates. Its expectation in each box is a product over objectives (Emmerich 2006; Yang 2019,
eq. 14). For two objectives the boxes are the strips between neighbours of the front.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from edgenas.pareto import nondominated
from edgenas.search.gp.predicted import Predicted
from edgenas.search.protocol import Floats, Mask


def boxes(front: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Cut the region below the reference that a front does not dominate into disjoint boxes.

    Args:
        front: (S, M); points that do not lie below the reference are ignored.
        reference: (M,).

    Returns:
        Lower corners (B, M), with minus infinity, and upper corners (B, M).
    """
    inside = front[(front < reference).all(axis=1)]
    lower, upper = _slice(inside[nondominated(inside)] if len(inside) else inside, reference)
    return np.array(lower).reshape(-1, len(reference)), np.array(upper).reshape(-1, len(reference))


def _slice(front: Floats, reference: Floats) -> tuple[list[list[float]], list[list[float]]]:
    """Slabs between neighbouring values of the last objective; within a slab the problem has one objective less."""
    if len(reference) == 1:
        return [[-np.inf]], [[min([float(reference[0]), *front[:, 0]])]]
    lower, upper = [], []
    levels = np.unique(front[:, -1])
    edges = np.r_[-np.inf, levels, reference[-1]]
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        within = front[front[:, -1] <= low, :-1]
        if len(within) > 1:
            within = within[nondominated(within)]
        for a, b in zip(*_slice(within, reference[:-1]), strict=True):
            lower.append([*a, float(low)])
            upper.append([*b, float(high)])
    return lower, upper


def expected_improvement(predicted: Sequence[Predicted], front: Floats, reference: Floats) -> Floats:
    """Expected hypervolume improvement (P,) over a front (S, M); with one objective, expected improvement."""
    lower, upper = boxes(front, reference)
    gain = np.ones((len(predicted[0].mean), len(upper)))
    for m, one in enumerate(predicted):
        gain *= _expected_lengths(one, lower[:, m], upper[:, m])
    return np.asarray(gain.sum(axis=1))


def _expected_lengths(one: Predicted, lower: Floats, upper: Floats) -> Floats:
    levels, place = np.unique(np.r_[lower, upper], return_inverse=True)
    finite = np.isfinite(levels)
    below = np.zeros((len(one.mean), len(levels)))
    below[:, finite] = one.warp.below(levels[finite], one.mean[:, None], one.deviation[:, None])
    return below[:, place[len(lower) :]] - below[:, place[: len(lower)]]


def hopeful(predicted: Sequence[Predicted], front: Floats, reference: Floats, *, deviations: float) -> Mask:
    """Mark the candidates (P,) whose optimistic corner lies below the reference and is not dominated by the front."""
    corner = [p.optimistic(deviations) for p in predicted]
    good = corner[0] < reference[0]
    for values, limit in zip(corner[1:], reference[1:], strict=True):
        good &= values < limit
    left = np.flatnonzero(good)
    for point in front:
        better = corner[0][left] < point[0]
        for values, value in zip(corner[1:], point[1:], strict=True):
            better |= values[left] < value
        left = left[better]
    good[:] = False
    good[left] = True
    return good


def chance_of_feasibility(margins: Sequence[Predicted], count: int) -> Floats:
    """Chance (P,) that every margin is at most 0, for independent predictions (Gardner 2014, eq. 6)."""
    chance = np.ones(count)
    for one in margins:
        chance *= ndtr(-one.mean / one.deviation)
    return chance
