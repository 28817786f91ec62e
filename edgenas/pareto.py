"""Dominance, ranks, crowding and hypervolume of points to minimise.

Shapes: N points, M objectives, K limits. All objectives are minimised; a violation is >= 0, and 0 where a limit is met.
Sorting and hypervolume are moocore's (compiled); crowding and constrained domination are here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenas.errors import SearchError, explain
from edgenas.types import Floats


def as_points(points: ArrayLike) -> Floats:
    """Return points as a float array (N, M), C-ordered.

    Raises:
        SearchError: It is not two-dimensional, or a value is not a number.
    """
    array = np.ascontiguousarray(points, dtype=np.float64)
    if array.ndim != 2:
        raise SearchError(explain("points must have the shape (N, M)", got=array.shape))
    if np.isnan(array).any():
        raise SearchError(explain("points hold NaN", remedy="Leave failed evaluations out before comparing."))
    return array


def nondominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points that no other point dominates; equal points are all marked.

    Args:
        points: (N, M), to minimise.

    Returns:
        Mask (N,).
    """
    array = as_points(points)
    if len(array) == 0:
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(array, keep_weakly=True), dtype=bool)


def pareto_ranks(points: ArrayLike) -> NDArray[np.int64]:
    """Rank points by fronts, 0 for the best front (fast non-dominated sort, Deb 2002).

    Args:
        points: (N, M), to minimise.

    Returns:
        Ranks (N,).
    """
    array = as_points(points)
    if len(array) == 0:
        return np.zeros(0, dtype=np.int64)
    if array.shape[1] == 1:
        return np.unique(array[:, 0], return_inverse=True)[1].astype(np.int64)
    return np.asarray(moocore.pareto_rank(array), dtype=np.int64)


def constrained_ranks(points: ArrayLike, violation: ArrayLike) -> NDArray[np.int64]:
    """Rank points by constrained domination (Deb 2002, definition 1).

    Feasible points come first, by Pareto front; the others follow by their total violation.

    Args:
        points: (N, M), to minimise.
        violation: (N,), total violation, 0 where every limit is met.

    Returns:
        Ranks (N,), equal for points that do not dominate each other.
    """
    array, total = as_points(points), np.asarray(violation, dtype=np.float64)
    broken = total > 0
    if not broken.any():
        return pareto_ranks(array)
    ranks = np.empty(len(array), dtype=np.int64)
    met = ~broken
    ranks[met] = pareto_ranks(array[met])
    first = ranks[met].max() + 1 if met.any() else 0
    ranks[broken] = first + np.unique(total[broken], return_inverse=True)[1]
    return ranks


def crowding_distance(points: ArrayLike, ranks: ArrayLike | None = None) -> Floats:
    """Crowding distance within each front (Deb 2002, section III-B).

    Both ends of a front get infinity. An objective that is constant over a front adds nothing.

    Args:
        points: (N, M).
        ranks: (N,), front of each point; one front when left out.

    Returns:
        Distances (N,).
    """
    array = as_points(points)
    n, objectives = array.shape
    front = np.zeros(n, dtype=np.int64) if ranks is None else np.asarray(ranks)
    distance = np.zeros(n)
    if n == 0:
        return distance
    front = narrowed(front)
    # A front occupies the same positions in the sorted order of every objective.
    sizes = np.unique_counts(front).counts
    first = np.cumsum(sizes) - sizes
    last = first + sizes - 1
    gap = np.empty(n)
    for column in array.T[:objectives]:
        order = np.argsort(column, kind="stable")
        order = order[np.argsort(front[order], kind="stable")]
        value = column[order]
        span = value[last] - value[first]
        np.subtract(value[2:], value[:-2], out=gap[1:-1])
        gap[1:-1] *= np.repeat(np.divide(1.0, span, out=np.zeros(len(span)), where=span > 0), sizes)[1:-1]
        gap[first] = gap[last] = np.inf
        distance[order] += gap
    return distance


def narrowed(ranks: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    """Ranks in 16 bits where they fit: NumPy sorts those by digits, in linear time."""
    return ranks.astype(np.int16) if len(ranks) and 0 <= ranks.min() and ranks.max() < 2**15 else ranks


def hypervolume(points: ArrayLike, reference: Sequence[float] | Floats) -> float:
    """Volume that is dominated by points and lies below the reference (exact).

    Args:
        points: (N, M), to minimise; points that do not lie below the reference add nothing.
        reference: (M,).
    """
    array = as_points(points)
    if len(array) == 0:
        return 0.0
    return float(moocore.hypervolume(array, ref=np.asarray(reference, dtype=np.float64)))


def hypervolume_curve(points: ArrayLike, reference: Sequence[float] | Floats) -> Floats:
    """Hypervolume after each of a sequence of points, in the order in which they were found.

    Args:
        points: (N, M), to minimise; a row that holds NaN or infinity (a failed evaluation) adds nothing.
        reference: (M,).

    Returns:
        (N,), never falling.
    """
    array, limit = np.asarray(points, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    curve, front, current = np.zeros(len(array)), np.empty((0, len(limit))), 0.0
    useful = np.asarray(np.isfinite(array).all(axis=1) & (array < limit).all(axis=1))
    for i, point in enumerate(array):
        if useful[i] and not (front <= point).all(axis=1).any():
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
            current = hypervolume(front, limit)
        curve[i] = current
    return curve
