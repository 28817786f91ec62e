"""Survival by constrained domination and crowding (Deb 2002), in the order of the crowded comparison.

Shapes: N points, M objectives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.pareto import crowding_distance, narrowed, pareto_ranks
from edgenas.search.protocol import Floats, Genes


def survivors(objectives: Floats, violation: Floats, size: int) -> Genes:
    """Choose survivors and bring them in order, the best first.

    Feasible points go by Pareto front, then by crowding distance within the front (before the cut); the others follow
    by their total violation (Deb 2002, definition 1 and section III-C).

    Args:
        objectives: (N, M), finite.
        violation: (N,), 0 where every limit is met.
        size: How many survive.

    Returns:
        Indices (min(N, size),).
    """
    broken = violation > 0
    if not broken.any():
        return _by_front(objectives, size)
    met, others = np.flatnonzero(~broken), np.flatnonzero(broken)
    kept = met[_by_front(objectives[met], size)]
    if len(kept) == size:
        return kept
    return np.concatenate([kept, others[np.argsort(violation[others], kind="stable")]])[:size]


def _by_front(objectives: Floats, size: int) -> Genes:
    if len(objectives) == 0:
        return np.zeros(0, dtype=np.int64)
    if objectives.shape[1] == 1:
        return np.argsort(objectives[:, 0], kind="stable")[:size]
    ranks = pareto_ranks(objectives)
    if len(ranks) > size:
        inside = np.flatnonzero(ranks <= np.searchsorted(np.cumsum(np.bincount(ranks)), size))
        ranks, objectives = ranks[inside], objectives[inside]
    else:
        inside = np.arange(len(ranks))
    fronts = narrowed(ranks)
    two = objectives.shape[1] == 2
    distance = _crowding_of_two(objectives, fronts) if two else crowding_distance(objectives, ranks)
    order = np.argsort(-distance, kind="stable")
    return inside[order[np.argsort(fronts[order], kind="stable")[:size]]]


def _crowding_of_two(objectives: Floats, fronts: NDArray[np.integer[Any]]) -> Floats:
    """Crowding distance (N,) within fronts of two objectives.

    One order serves both objectives: along a front, one rises while the other falls.
    """
    order = np.argsort(objectives[:, 0], kind="stable")
    order = order[np.argsort(fronts[order], kind="stable")]
    front, (rising, falling) = fronts[order], objectives[order].T
    starts = np.flatnonzero(np.diff(front, prepend=-1))
    ends = np.append(starts[1:], len(front)) - 1
    gap = np.zeros(len(front))
    for values, span in ((rising, rising[ends] - rising[starts]), (-falling, falling[starts] - falling[ends])):
        share = np.divide(1.0, span, out=np.zeros(len(span)), where=span > 0)
        gap[1:-1] += (values[2:] - values[:-2]) * np.repeat(share, ends - starts + 1)[1:-1]
    gap[starts] = gap[ends] = np.inf
    distance = np.empty(len(front))
    distance[order] = gap
    return distance
