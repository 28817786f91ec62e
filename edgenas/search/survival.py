"""Survival by constrained domination and crowding (Deb 2002), in the order of the crowded comparison.

Shapes: N points, M objectives.
"""

from __future__ import annotations

import numpy as np

from edgenas.pareto import crowding_distance, pareto_ranks
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
    if objectives.shape[1] == 1:
        return np.argsort(objectives[:, 0], kind="stable")[:size]
    ranks = pareto_ranks(objectives)
    if len(ranks) > size:
        inside = np.flatnonzero(ranks <= np.partition(ranks, size - 1)[size - 1])
        ranks, objectives = ranks[inside], objectives[inside]
    else:
        inside = np.arange(len(ranks))
    return inside[np.lexsort((-crowding_distance(objectives, ranks), ranks))[:size]]
