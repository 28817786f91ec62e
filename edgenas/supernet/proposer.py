"""The learned distribution behind ask and tell, like any other searcher."""

from __future__ import annotations

import numpy as np

from edgenas.search.base import AskTell
from edgenas.search.protocol import Results
from edgenas.supernet.distribution import GeneDistribution, Genes


class DistributionSearcher(AskTell):
    """Proposes networks of a learned distribution: the likeliest first, then draws; it learns no more."""

    def __init__(
        self,
        distribution: GeneDistribution,
        *,
        objectives: int,
        limits: int,
        seed: int,
        budget: int,
        first: Genes | None = None,
    ) -> None:
        """Make a searcher.

        Args:
            distribution: Learned by `search_one_shot`.
            objectives, limits, seed, budget: As for every searcher.
            first: Network (D,) to propose first, such as `OneShotResult.best`; None for the likeliest.
        """
        super().__init__(distribution.space, objectives=objectives, limits=limits, seed=seed, budget=budget)
        self._distribution = distribution
        self._first = distribution.best(self.rng) if first is None else first

    def _propose(self, n: int) -> Genes:
        draws = np.concatenate([self._first[None], self._distribution.sample(8 * n, self.rng)])
        return self.newcomers.take(self._distribution.space.canonical(draws), n)

    def _learn(self, results: Results) -> None:
        return None
