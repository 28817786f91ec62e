"""NSGA-II (Deb 2002) with constrained domination, over categorical genes."""

from __future__ import annotations

import numpy as np

from edgenas.pareto import constrained_ranks, crowding_distance
from edgenas.search.base import AskTell
from edgenas.search.protocol import Floats, Genes, Results, SpaceView
from edgenas.search.variation import Variation

_ROUNDS = 4


def default_population(budget: int) -> int:
    """Population of an evolution for a budget: 20 for a few hundred evaluations, a thousand from 25,000 on."""
    return int(np.clip(budget // 25, 20, 1000))


class NSGA2(AskTell):
    """Elitist evolution: binary tournaments, uniform crossover, mutation, survival over parents and children.

    Survival runs at every tell, over the population and whatever was told, so the number of candidates asked at a time
    is free. A candidate that was proposed before is replaced by further variation, then by a random new member.
    """

    def __init__(
        self,
        space: SpaceView,
        *,
        objectives: int,
        limits: int,
        seed: int,
        budget: int,
        population: int | None = None,
        crossover: float = 0.9,
        mutations: float = 1.0,
    ) -> None:
        """Make a searcher.

        Args:
            space: Where to search.
            objectives: M.
            limits: K.
            seed: Seed of all its randomness.
            budget: Planned evaluations.
            population: Survivors; from the budget when left out.
            crossover: Share of the children that are crossed (Deb 2002: 0.9).
            mutations: Genes changed a child, on average (Deb 2002: 1, a rate of 1 / D).
        """
        super().__init__(space, objectives=objectives, limits=limits, seed=seed, budget=budget)
        self._size = population or default_population(budget)
        self._crossover, self._mutations = crossover, mutations
        self._variation = Variation(space.cardinalities)
        self.population: Genes = np.zeros((0, len(space.cardinalities)), dtype=np.int64)
        self._objectives: Floats = np.zeros((0, objectives))
        self._violation: Floats = np.zeros(0)
        self._rank = np.zeros(0, dtype=np.int64)
        self._crowding: Floats = np.zeros(0)

    def _propose(self, n: int) -> Genes:
        first = self._size - self._evaluated
        if first > 0 or len(self.population) < 2:
            return self.newcomers.random(min(n, max(first, 1)))
        found: list[Genes] = []
        missing = n
        for attempt in range(_ROUNDS):
            children = self._children(missing + attempt * 8, self._mutations + attempt)
            taken = self.newcomers.take(self.space.canonical(children), missing)
            found.append(taken)
            missing -= len(taken)
            if missing == 0:
                break
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _children(self, n: int, mutations: float) -> Genes:
        size = len(self.population)
        entrants = self.rng.integers(0, size, size=(4, n))
        left, right = self._tournament(entrants[0], entrants[1]), self._tournament(entrants[2], entrants[3])
        children = self._variation.cross(
            self.population[left], self.population[right], self.rng, chance=self._crossover
        )
        return self._variation.mutate(children, self.rng, mean=mutations)

    def _tournament(self, left: Genes, right: Genes) -> Genes:
        """Binary tournament by the crowded comparison (Deb 2002, section III-B)."""
        better = (self._rank[left] < self._rank[right]) | (
            (self._rank[left] == self._rank[right]) & (self._crowding[left] >= self._crowding[right])
        )
        return np.where(better, left, right)

    def _learn(self, results: Results) -> None:
        good = ~results.failed
        genes = np.concatenate([self.population, results.genes[good]])
        objectives = np.concatenate([self._objectives, results.objectives[good]])
        violation = np.concatenate([self._violation, results.violations[good].sum(axis=1)])
        rank = constrained_ranks(objectives, violation)
        keep, crowding = survivors(objectives, rank, self._size)
        self.population, self._objectives, self._violation = genes[keep], objectives[keep], violation[keep]
        self._rank, self._crowding = rank[keep], crowding


def survivors(objectives: Floats, rank: Genes, size: int) -> tuple[Genes, Floats]:
    """Choose survivors by rank, then by crowding within the front that does not fit (Deb 2002, section III-C).

    Args:
        objectives: (N, M).
        rank: (N,), front of each point.
        size: How many survive.

    Returns:
        Indices (k,) of the survivors and their crowding distance within their front before the cut.
    """
    if len(rank) > size:
        last = np.partition(rank, size - 1)[size - 1]
        inside = np.flatnonzero(rank <= last)
    else:
        inside = np.arange(len(rank))
    crowding = crowding_distance(objectives[inside], rank[inside])
    if len(inside) > size:
        order = np.lexsort((-crowding, rank[inside]))[:size]
        inside, crowding = inside[order], crowding[order]
    return inside, crowding
