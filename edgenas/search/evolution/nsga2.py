"""NSGA-II (Deb 2002) with constrained domination, over categorical genes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.search.base import AskTell
from edgenas.search.evolution.survival import survivors
from edgenas.search.evolution.variation import Variation, compact_type
from edgenas.search.protocol import Floats, Genes, Results
from edgenas.search.task import Task

_ROUNDS = 6
_FIRST_CHILDREN = 1.1


def default_population(budget: int) -> int:
    """Population of an evolution for a budget: 20 for a few hundred evaluations, a thousand from 25,000 on."""
    return int(np.clip(budget // 25, 20, 1000))


class NSGA2(AskTell):
    """Elitist evolution: binary tournaments, uniform crossover, mutation, survival over parents and children.

    Survival runs at every tell, over the population and the new results. So any number of candidates can be asked at a
    time. A candidate that was proposed before is replaced by further variation, then by a random new member.

    Pending: the survivors of what was told so far are the parents (steady state); the population is not waited for.
    Warm start: the survivors of the known results are the first population, and random members fill what is missing.
    """

    def __init__(
        self, task: Task, *, population: int | None = None, crossover: float = 0.9, mutations: float = 1.0
    ) -> None:
        """Make a searcher.

        Args:
            task: What is searched.
            population: Survivors; from the budget when left out.
            crossover: Share of the children that are crossed (Deb 2002: 0.9).
            mutations: Genes changed a child, on average (Deb 2002: 1, a rate of 1 / D).
        """
        super().__init__(task)
        self._size = population or default_population(task.budget)
        self._crossover, self._mutations = crossover, mutations
        cards = task.space.cardinalities
        self._variation = Variation(cards)
        # Genes of one byte if they fit, since variation spends most of its time on moving them.
        self.population: NDArray[np.unsignedinteger[Any]] = np.zeros((0, len(cards)), dtype=compact_type(cards))
        """Survivors, the best first."""
        self._objectives: Floats = np.zeros((0, task.objectives))
        self._violation: Floats = np.zeros(0)
        self._surplus = _FIRST_CHILDREN

    def _propose(self, n: int) -> Genes:
        first = self._size - self._counted
        if first > 0 or len(self.population) < 2:
            return self.newcomers.random(min(n, max(first, 1)))
        found: list[Genes] = []
        missing, made = n, 0
        for attempt in range(_ROUNDS):
            count = int(missing * self._surplus) + 8 * attempt
            children = self._children(count, self._mutations + attempt // 2)
            taken = self.newcomers.take(self.space.canonical(children), missing)
            found.append(taken)
            missing, made = missing - len(taken), made + count
            if missing == 0:
                break
        self._surplus = min(4.0, max(_FIRST_CHILDREN, 0.995 * self._surplus if len(found) == 1 else 1.05 * made / n))
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _children(self, n: int, mutations: float) -> Genes:
        left, right = self._winners((2, n))
        first, second = self.population.take(left, axis=0), self.population.take(right, axis=0)
        children = self._variation.cross(first, second, self.rng, chance=self._crossover)
        return self._variation.mutate(children, self.rng, mean=mutations).astype(np.int64)

    def _winners(self, shape: tuple[int, int]) -> Genes:
        """Winners of binary tournaments by the crowded comparison (Deb 2002, section III-B).

        The population is sorted in that order, so the better of two entrants is the one with the smaller index. That
        index is floor(P * (1 - sqrt(u))) for a uniform u.
        """
        size = len(self.population)
        return np.minimum((size * (1.0 - np.sqrt(self.rng.random(shape)))).astype(np.int64), size - 1)

    def _learn(self, results: Results) -> None:
        if results.failed.any():
            results = results.pick(~results.failed)
        genes = np.concatenate([self.population, results.genes.astype(self.population.dtype)])
        objectives = np.concatenate([self._objectives, results.objectives])
        violation = np.concatenate([self._violation, results.violations.sum(axis=1)])
        keep = survivors(objectives, violation, self._size)
        self.population, self._objectives, self._violation = genes.take(keep, axis=0), objectives[keep], violation[keep]
