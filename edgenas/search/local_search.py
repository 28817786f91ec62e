"""Anytime Pareto local search (Paquete 2004; anytime form of Dubois-Lacoste 2015) over categorical genes."""

from __future__ import annotations

import numpy as np

from edgenas.pareto import constrained_ranks, crowding_distance
from edgenas.search.base import AskTell
from edgenas.search.protocol import Floats, Genes, Results
from edgenas.search.task import Task
from edgenas.search.variation import Variation


class ParetoLocalSearch(AskTell):
    """Explores the neighbours of the front, where the front is sparsest first.

    A neighbour differs in one gene. Each proposal takes an unseen neighbour, in random order, of the member of the
    best front that has the largest crowding distance among those that still have one; members of the next fronts
    follow when the front has none left, so it never stops at a local optimum.
    """

    def __init__(self, task: Task, *, initial: int = 10) -> None:
        """Make a searcher.

        Args:
            task: What is searched.
            initial: Random members to start from.
        """
        super().__init__(task)
        self._initial = initial
        self._variation = Variation(task.space.cardinalities)
        self._genes: Genes = np.zeros((0, len(task.space.cardinalities)), dtype=np.int64)
        self._objectives: Floats = np.zeros((0, task.objectives))
        self._violation: Floats = np.zeros(0)
        self._used = np.zeros(0, dtype=np.int64)
        self._done = np.zeros(0, dtype=bool)

    def _propose(self, n: int) -> Genes:
        missing = self._initial - self._evaluated
        if missing > 0 or len(self._genes) == 0:
            return self.newcomers.random(min(n, max(missing, 1)))
        order = self._by_promise()
        found: list[Genes] = []
        lacking = n
        for index in order:
            if lacking == 0:
                break
            if self._done[index]:
                continue
            around = self.space.canonical(self._variation.neighbours(self._genes[index]))
            taken = self.newcomers.take(around[self.rng.permutation(len(around))], 1)
            if len(taken) == 0:
                self._done[index] = True
                continue
            self._used[index] += 1
            found.append(taken)
            lacking -= 1
        return np.concatenate(found) if found else self._genes[:0]

    def _by_promise(self) -> Genes:
        """Indices of the evaluated, those whose neighbours come first in front."""
        ranks = constrained_ranks(self._objectives, self._violation)
        crowding = crowding_distance(self._objectives, ranks)
        return np.lexsort((self.rng.random(len(ranks)), -crowding / (1.0 + self._used), ranks))

    def _learn(self, results: Results) -> None:
        good = ~results.failed
        self._genes = np.concatenate([self._genes, results.genes[good]])
        self._objectives = np.concatenate([self._objectives, results.objectives[good]])
        self._violation = np.concatenate([self._violation, results.violations[good].sum(axis=1)])
        fresh = int(good.sum())
        self._used = np.concatenate([self._used, np.zeros(fresh, dtype=np.int64)])
        self._done = np.concatenate([self._done, np.zeros(fresh, dtype=bool)])
