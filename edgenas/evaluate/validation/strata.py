"""Networks of a space, spread evenly over its range of costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import InputError, explain
from edgenas.space import SearchSpace, population_costs
from edgenas.types import Genes

POOL = 4000


def stratified_networks(space: SearchSpace, networks: int, rng: np.random.Generator) -> Genes:
    """Draw distinct networks (N, D) spread evenly over the logarithm of MACs, cheapest first.

    Random members crowd around the middle of the range of costs, where good and bad estimators look alike. The smallest
    and the largest member are included. With the same generator the set of 2 N - 1 networks contains the set of N. So
    an inconclusive comparison can be refined without repeating its trainings.

    Raises:
        InputError: The space has fewer networks than are wanted.
    """
    pool = np.concatenate([np.stack([space.smallest(), space.largest()]), space.sample(POOL, rng)])
    pool = np.unique(space.canonical(pool), axis=0)
    if len(pool) < networks:
        raise InputError(explain(f"the space {space.name} has too few networks", got=len(pool), allowed=f"{networks}+"))
    logs = np.log(population_costs(space).macs(pool).astype(np.float64))
    targets = np.linspace(logs.min(), logs.max(), networks)[_coarse_first(networks)]
    # Among equals the order of the pool decides, so it must not be the order of the genes.
    order = rng.permutation(len(pool))
    free = np.ones(len(pool), dtype=bool)
    chosen = []
    for target in targets:
        distance = np.where(free[order], np.abs(logs[order] - target), np.inf)
        index = order[int(np.argmin(distance))]
        free[index] = False
        chosen.append(index)
    picked = np.array(sorted(chosen, key=lambda index: logs[index]))
    return pool[picked]


def _coarse_first(count: int) -> NDArray[np.int64]:
    """Order places on a grid so that those of the grid with half the intervals come first, where there is one."""
    if count < 3 or count % 2 == 0:
        return np.arange(count)
    return np.concatenate([2 * _coarse_first((count + 1) // 2), np.arange(1, count, 2)])
