"""The searcher of a learned distribution keeps the laws of searchers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgenas.oneshot import DistributionSearcher  # noqa: E402
from edgenas.oneshot.distribution import GeneDistribution  # noqa: E402
from tests.search.conformance import WarmStartConformance  # noqa: E402


class TestDistributionSearcher(WarmStartConformance):
    learns = False

    def make(self, space, *, objectives, limits, seed, budget, known_margins=None):
        distribution = GeneDistribution(space)
        with torch.no_grad():
            distribution.logits[:, 0] += 0.5
        return DistributionSearcher(
            distribution, objectives=objectives, limits=limits, seed=seed, budget=budget, known_margins=known_margins
        )
