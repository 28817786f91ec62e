"""Candidates for the model in a space too large to list: a short evolution on the model's mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgenas.pareto import constrained_ranks, crowding_distance
from edgenas.search.evolution.variation import Variation
from edgenas.search.members import Newcomers
from edgenas.search.protocol import Floats, Genes

Judge = Callable[[Genes], tuple[Floats, Floats]]
"""Codes (N, D) to predicted objectives (N, M) and total violation (N,)."""

_CHILDREN, _GENERATIONS, _PARENTS, _RANDOM = 400, 5, 60, 100


def evolved_pool(newcomers: Newcomers, variation: Variation, parents: Genes, judge: Judge) -> Genes:
    """Find candidates with good predictions, and some random ones.

    Args:
        newcomers: Knows what was proposed.
        variation: Of the genes of the space.
        parents: Canonical codes (S, D) to start from: the best evaluated ones.
        judge: The model.

    Returns:
        Distinct canonical codes (P, D) that were not proposed; may be empty.
    """
    rng, space = newcomers.rng, newcomers.space
    drawn = space.canonical(space.sample(_RANDOM, rng))
    found = [drawn[newcomers.allowed(drawn)]]
    for generation in range(_GENERATIONS):
        left, right = parents[rng.integers(0, len(parents), size=(2, _CHILDREN))]
        children = variation.cross(left, right, rng, chance=0.5)
        children = space.canonical(variation.mutate(children, rng, mean=1.5))
        children = children[newcomers.allowed(children)]
        found.append(children)
        if generation + 1 < _GENERATIONS and len(children):
            parents = _best(np.unique(np.concatenate([parents, children]), axis=0), judge)
    pool = np.concatenate(found)
    return pool[newcomers.seen.fresh(newcomers.keys(pool))]


def _best(genes: Genes, judge: Judge) -> Genes:
    objectives, violation = judge(genes)
    ranks = constrained_ranks(objectives, violation)
    crowding = crowding_distance(objectives, ranks)
    return genes[np.lexsort((-crowding, ranks))[:_PARENTS]]
