"""A searcher (ask and tell) that proposes networks of a learned distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgenas.oneshot.distribution import CostFunction, GeneDistribution
from edgenas.search.base import AskTell
from edgenas.search.protocol import Results
from edgenas.search.task import Task
from edgenas.types import Genes

NEAR = 0.05
"""Draws whose cost differs from the target by at most this share are proposed before others."""
_DRAWS = 64


class DistributionSearcher(AskTell):
    """Proposes networks of a learned distribution: the likeliest first, then draws. It learns nothing further.

    A decided distribution soon gives only known draws. Random networks of the space follow then. Pending and known
    results change nothing, but that their networks are not proposed again.
    """

    def __init__(
        self,
        distribution: GeneDistribution,
        *,
        objectives: int,
        limits: int,
        seed: int,
        budget: int,
        first: Genes | None = None,
        cost: CostFunction | None = None,
        target: float | None = None,
        known_margins: Mapping[int, CostFunction] | None = None,
    ) -> None:
        """Make a searcher.

        Args:
            distribution: Learned by `search_one_shot`.
            objectives, limits, seed, budget, known_margins: As for every searcher.
            first: Network (D,) to propose first, such as `OneShotResult.best`; None for the likeliest.
            cost, target: Where both are given, draws near the target are proposed before all others.
        """
        space = distribution.space
        known = known_margins or {}
        super().__init__(
            Task(space=space, objectives=objectives, limits=limits, seed=seed, budget=budget, known_margins=known)
        )
        self._distribution = distribution
        self._first = distribution.best(self.rng) if first is None else first
        self._cost, self._target = cost, target

    def _propose(self, n: int) -> Genes:
        draws = np.concatenate([self._first[None], self._distribution.sample(_DRAWS * n, self.rng)])
        if self._cost is not None and self._target is not None:
            far = np.abs(self._cost(draws) / self._target - 1) > NEAR
            draws = draws[np.argsort(far, kind="stable")]
        return self.newcomers.take(self._distribution.space.canonical(draws), n)

    def _learn(self, results: Results) -> None:
        return None
