"""Every strategy of the registry keeps the laws of searchers."""

from __future__ import annotations

import pytest

from edgenas.search import STRATEGIES

from .conformance import WarmStartConformance


@pytest.mark.parametrize("strategy", sorted(STRATEGIES), scope="class")
class TestEveryStrategy(WarmStartConformance):
    @pytest.fixture(autouse=True)
    def _choose(self, strategy):
        self.strategy = strategy

    def make(self, space, *, objectives, limits, seed, budget):
        return STRATEGIES[self.strategy](space, objectives=objectives, limits=limits, seed=seed, budget=budget)
