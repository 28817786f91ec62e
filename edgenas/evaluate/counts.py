"""The baselines that every estimator has to beat: MACs and parameters."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np

from edgenas.evaluate.protocol import Estimates
from edgenas.space import SearchSpace, population_costs
from edgenas.study.values import Source
from edgenas.types import Genes, Progress

CountName = Literal["macs", "params"]


class CountEvaluator:
    """Ranks networks by a closed-form count, larger first."""

    source: Source = "proxy"
    unit = ""

    def __init__(self, space: SearchSpace, count: CountName) -> None:
        self.name = count
        self._costs = population_costs(space)

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Count networks (N, D)."""
        started = time.perf_counter()
        counted = self._costs.macs(genes) if self.name == "macs" else self._costs.params(genes)
        return Estimates(values=counted.astype(np.float64), seconds=time.perf_counter() - started)
