"""Latency as an evaluator: predicted by a table, or measured on the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from edgenas.arch import Architecture
from edgenas.evaluate.protocol import Estimates
from edgenas.latency import LatencyTable, SpaceLatency
from edgenas.space import SearchSpace
from edgenas.study.values import Source
from edgenas.types import Genes, Progress

MeasureLatency = Callable[[Sequence[Architecture]], Sequence[tuple[float, float]]]
"""From networks to (latency, standard error) in milliseconds, measured on the device."""

_NORMAL_90 = 1.6448536269514722


class TableLatencyEvaluator:
    """Latencies by a table, milliseconds: smaller is better."""

    name = "table_latency"
    source: Source = "predicted"
    unit = "ms"

    def __init__(self, table: LatencyTable, space: SearchSpace) -> None:
        """Cost every block of the space once.

        Raises:
            TableError: The table lacks a part of the space.
        """
        self._latency = SpaceLatency(table, space)

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Predict networks (N, D)."""
        started = time.perf_counter()
        found = self._latency.predict(genes)
        return Estimates(
            values=found.latency_ms,
            standard_error=(found.high_ms - found.low_ms) / (2 * _NORMAL_90),
            seconds=time.perf_counter() - started,
        )


class MeasuredLatencyEvaluator:
    """Latencies measured on the device, milliseconds: smaller is better."""

    name = "measured_latency"
    source: Source = "measured"
    unit = "ms"

    def __init__(self, space: SearchSpace, measure: MeasureLatency) -> None:
        """Keep the arguments.

        Args:
            space: Of the networks.
            measure: Writes the files of networks and times them.
        """
        self._space, self._measure = space, measure

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Measure networks (N, D), all in one call: the protocol alternates between them."""
        started = time.perf_counter()
        measured = np.array(self._measure([self._space.decode(row) for row in genes]), dtype=np.float64)
        if progress is not None:
            progress(len(genes), len(genes), "measuring latency")
        return Estimates(values=measured[:, 0], standard_error=measured[:, 1], seconds=time.perf_counter() - started)
