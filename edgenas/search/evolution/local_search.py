"""Anytime Pareto local search (Paquete 2004; anytime form of Dubois-Lacoste 2015) over categorical genes."""

from __future__ import annotations

import numpy as np

from edgenas.pareto import constrained_ranks, crowding_distance
from edgenas.search.base import AskTell
from edgenas.search.evolution.variation import Variation
from edgenas.search.protocol import Floats, Genes, Results
from edgenas.search.task import Task

_USE = 0.5
_OF_INTEREST = 0.75
# One proposal in this many explores the whole front. Without these the cheap end of the front stays unknown; with these
# alone its accurate end is found late. `benchmarks/search_quality.py` measures both.
_WHOLE_FRONT_EVERY = 3


class ParetoLocalSearch(AskTell):
    """Explores around the front. The sparsest parts of the front come first.

    Members of the best front come first, and among them those with the largest crowding distance. Each use of a member
    lowers its rank. A member gives an unseen neighbour (one gene differs) or, as in genetic local search (Jaszkiewicz
    2002), a recombination with another member of the front. Members whose neighbours are all known are left out. The
    next fronts follow, so the search never stops at a local optimum.

    The ends of a front get the crowding distance of its sparsest inner member, not infinity. An end is the best in one
    objective and often bad in all others; with infinity its neighbours would come before all others. Two of three
    proposals explore the accurate end of the front. For these, the members that are among the worst quarter of all
    results in the first objective come last. Every third proposal explores the whole front.

    Pending: the front of what was told so far is explored; each use of a member counts at once, so that several
    proposals spread over it. Warm start: the known results are the archive.
    """

    def __init__(self, task: Task, *, initial: int = 12, recombination: float = 0.4, mutated: float = 0.5) -> None:
        """Make a searcher.

        Args:
            task: What is searched.
            initial: Random members to start from.
            recombination: Share of the proposals that recombine; 0 is the local search of the papers.
            mutated: Share of the recombined in which a gene changes on top.
        """
        super().__init__(task)
        self._initial, self._recombination, self._mutated = initial, recombination, mutated
        self._variation = Variation(task.space.cardinalities)
        self._genes: Genes = np.zeros((0, len(task.space.cardinalities)), dtype=np.int64)
        self._objectives: Floats = np.zeros((0, task.objectives))
        self._violation: Floats = np.zeros(0)
        self._used = np.zeros(0, dtype=np.int64)
        self._done = np.zeros(0, dtype=bool)
        self._turn = 0

    def _propose(self, n: int) -> Genes:
        missing = self._initial - self._counted
        if missing > 0 or len(self._genes) == 0:
            return self.newcomers.random(min(n, max(missing, 1)))
        ranks = constrained_ranks(self._objectives, self._violation)
        front = np.flatnonzero(ranks == 0)
        found: list[Genes] = []
        for index in self._by_promise(ranks):
            if len(found) == n:
                break
            if self._done[index]:
                continue
            taken = self._recombined(index, front) if self.rng.random() < self._recombination else self._genes[:0]
            if len(taken) == 0:
                taken = self._neighbour(index)
            if len(taken) == 0:
                self._done[index] = True
                continue
            self._used[index] += 1
            found.append(taken)
        return np.concatenate(found) if found else self._genes[:0]

    def _neighbour(self, index: int) -> Genes:
        around = self.space.canonical(self._variation.neighbours(self._genes[index]))
        return self.newcomers.take(around[self.rng.permutation(len(around))], 1)

    def _recombined(self, index: int, front: Genes) -> Genes:
        pair = self._genes[index, None], self._genes[self.rng.choice(front), None]
        child = self._variation.cross(*pair, self.rng, chance=1.0)
        mutant = self._variation.mutate_one(child.copy(), self.rng)
        # A recombination is often known already. Its mutant is then taken, which may be new.
        ways = (mutant,) if self.rng.random() < self._mutated else (child, mutant)
        return self.newcomers.take(self.space.canonical(np.concatenate(ways)), 1)

    def _by_promise(self, ranks: Genes) -> Genes:
        """Indices of the evaluated members, the most promising first."""
        sparse = finite_crowding(self._objectives, ranks) / (1.0 + _USE * self._used)
        first = self._objectives[:, 0]
        poor = first > np.quantile(first, _OF_INTEREST)
        self._turn += 1
        if self._turn % _WHOLE_FRONT_EVERY == 0:
            poor[:] = False
        return np.lexsort((self.rng.random(len(ranks)), -sparse, poor, ranks))

    def _learn(self, results: Results) -> None:
        good = ~results.failed
        self._genes = np.concatenate([self._genes, results.genes[good]])
        self._objectives = np.concatenate([self._objectives, results.objectives[good]])
        self._violation = np.concatenate([self._violation, results.violations[good].sum(axis=1)])
        fresh = int(good.sum())
        self._used = np.concatenate([self._used, np.zeros(fresh, dtype=np.int64)])
        self._done = np.concatenate([self._done, np.zeros(fresh, dtype=bool)])


def finite_crowding(objectives: Floats, ranks: Genes) -> Floats:
    """Crowding distance (N,) within fronts.

    The ends of a front get its largest inner value, or 1 without inner members.
    """
    crowding = crowding_distance(objectives, ranks)
    inner = np.isfinite(crowding)
    largest = np.zeros(int(ranks.max(initial=0)) + 1)
    np.maximum.at(largest, ranks[inner], crowding[inner])
    return np.where(inner, crowding, np.where(largest > 0, largest, 1.0)[ranks])
