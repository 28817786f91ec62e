"""Inherited accuracy as an evaluator, and a predictor fitted on it."""

from __future__ import annotations

import time

from edgenas.evaluate.protocol import Estimates
from edgenas.study.values import Source
from edgenas.supernet import SupernetEvaluator
from edgenas.types import Genes, Progress


class InheritedEvaluator:
    """Judges networks with the weights of a supernet, on validation images."""

    source: Source = "inherited"
    unit = "1"

    def __init__(
        self, evaluator: SupernetEvaluator, *, name: str = "supernet", preparation_seconds: float = 0.0
    ) -> None:
        """Wrap a supernet's evaluator.

        Args:
            evaluator: Judges.
            name: In tables.
            preparation_seconds: What training the supernet took.
        """
        self.name = name
        self._evaluator, self._preparation_seconds = evaluator, preparation_seconds

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Judge networks (N, D)."""
        started = time.perf_counter()
        found = self._evaluator.evaluate(genes, progress=progress)
        return Estimates(
            values=found.accuracy,
            standard_error=found.standard_error,
            seconds=time.perf_counter() - started,
            preparation_seconds=self._preparation_seconds,
        )
