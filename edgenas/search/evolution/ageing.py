"""Regularised (ageing) evolution (Real 2019): the oldest member leaves the population, however good it is."""

from __future__ import annotations

import numpy as np

from edgenas.pareto import constrained_ranks, crowding_distance
from edgenas.search.base import AskTell
from edgenas.search.evolution.survival import survivors
from edgenas.search.evolution.variation import Variation
from edgenas.search.protocol import Floats, Genes, Results
from edgenas.search.task import Task

_ROUNDS = 6


class Ageing(AskTell):
    """Tournaments in a population of the latest results. Mutants of the winners are proposed.

    With several objectives a tournament is decided by constrained Pareto rank within the population, then by crowding.

    Pending: tournaments are held among what was told so far; age is the order of telling.
    Warm start: the survivors of the known results (as in NSGA-II) fill the queue, in the order given.
    """

    def __init__(self, task: Task, *, population: int | None = None, entrants: int | None = None) -> None:
        """Make a searcher.

        Args:
            task: What is searched.
            population: P of the paper; from the budget when left out.
            entrants: S of the paper, entrants of a tournament; half of the population when left out.
        """
        super().__init__(task)
        self._size = population or int(np.clip(task.budget // 10, 16, 1000))
        self._entrants = entrants or max(2, self._size // 2)
        self._variation = Variation(task.space.cardinalities)
        self.population: Genes = np.zeros((0, len(task.space.cardinalities)), dtype=np.int64)
        self._objectives: Floats = np.zeros((0, task.objectives))
        self._violation: Floats = np.zeros(0)
        self._order: Genes = np.zeros(0, dtype=np.int64)

    def _propose(self, n: int) -> Genes:
        missing = self._size - self._counted
        if missing > 0 or len(self.population) == 0:
            return self.newcomers.random(min(n, max(missing, 1)))
        found: list[Genes] = []
        lacking = n
        for attempt in range(_ROUNDS):
            children = self.population[self._winners(lacking + 4 * attempt)]
            for _ in range(1 + attempt // 2):
                children = self._variation.mutate_one(children, self.rng)
            taken = self.newcomers.take(self.space.canonical(children), lacking)
            found.append(taken)
            lacking -= len(taken)
            if lacking == 0:
                break
        return np.concatenate(found)

    def _winners(self, n: int) -> Genes:
        """Indices (n,) of the best of n tournaments.

        The best of S entrants, drawn with replacement, from P by rank: its rank is floor(P * (1 - u^(1/S))) for a
        uniform u, which takes one random number where drawing the entrants takes S.
        """
        size = len(self.population)
        place = (size * (1.0 - self.rng.random(n) ** (1.0 / self._entrants))).astype(np.int64)
        return self._order[np.minimum(place, size - 1)]

    def _warm(self, results: Results) -> None:
        good = results.pick(~results.failed)
        kept = survivors(good.objectives, good.violations.sum(axis=1), self._size)
        self._learn(good.pick(np.sort(kept)))

    def _learn(self, results: Results) -> None:
        good = ~results.failed
        self.population = np.concatenate([self.population, results.genes[good]])[-self._size :]
        self._objectives = np.concatenate([self._objectives, results.objectives[good]])[-self._size :]
        violation = results.violations[good].sum(axis=1)
        self._violation = np.concatenate([self._violation, violation])[-self._size :]
        if self.objectives == 1:
            worth = np.where(self._violation > 0, np.inf, self._objectives[:, 0])
            self._order = np.lexsort((worth, self._violation))
        else:
            ranks = constrained_ranks(self._objectives, self._violation)
            self._order = np.lexsort((-crowding_distance(self._objectives, ranks), ranks))
