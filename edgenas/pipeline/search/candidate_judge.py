"""Judging candidates: inherited accuracy from the supernet, latency from the table, counts in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgenas.arch import Architecture
from edgenas.pipeline.search.cost_model import CostModel, Costs
from edgenas.study import Evaluation, Metric, Objective, Outcome
from edgenas.types import Genes

if TYPE_CHECKING:
    from edgenas.space import SearchSpace
    from edgenas.supernet import SupernetEvaluator

MeasureLatency = Callable[[Architecture], tuple[float, float]]
"""From a network to its latency on the device and the standard error of that, ms."""

GOALS: dict[str, str] = {"accuracy": "maximise", "latency_ms": "minimise", "macs": "minimise", "params": "minimise"}


def objectives_of(names: list[str]) -> tuple[Objective, ...]:
    """Return the objectives of a configuration's names."""
    return tuple(Objective(metric=name, goal="maximise" if GOALS[name] == "maximise" else "minimise") for name in names)


class Judge:
    """Evaluates genes: yields one outcome after the other, so that a killed run loses at most one."""

    def __init__(
        self,
        space: SearchSpace,
        costs: CostModel,
        accuracy: SupernetEvaluator,
        *,
        measure: MeasureLatency | None = None,
    ) -> None:
        """Keep what judges.

        Args:
            space: Of the candidates.
            costs: Counts, and latency by the table.
            accuracy: Of members of the supernet.
            measure: Latency of a network on the device, in the place of the table's.
        """
        self._space, self._costs, self._accuracy, self._measure = space, costs, accuracy, measure

    def __call__(self, genes: Genes) -> Iterator[Outcome]:
        """Judge networks (N, D), in order."""
        import time

        costs = self._costs(genes)
        for row, code in enumerate(genes):
            started = time.monotonic()
            found = self._accuracy.evaluate(code[None])
            network = self._space.decode(code)
            metrics = {
                "accuracy": Metric(
                    value=float(found.accuracy[0]),
                    standard_error=float(found.standard_error[0]),
                    unit="1",
                    source="inherited",
                ),
                "latency_ms": self._latency(network, costs, row),
                "macs": Metric(value=float(costs.macs[row]), standard_error=0.0, unit="MAC", source="proxy"),
                "params": Metric(value=float(costs.params[row]), standard_error=0.0, unit="parameter", source="proxy"),
            }
            yield Evaluation(
                digest=network.digest,
                genes=tuple(int(gene) for gene in code),
                metrics=tuple(metrics.items()),
                seconds=time.monotonic() - started,
            )

    def _latency(self, network: Architecture, costs: Costs, row: int) -> Metric:
        if self._measure is None:
            value, error = float(costs.latency_ms[row]), float(costs.latency_error_ms[row])
            return Metric(value=value, standard_error=error, unit="ms", source="predicted")
        value, error = self._measure(network)
        return Metric(value=value, standard_error=error, unit="ms", source="measured")


def identify(space: SearchSpace) -> Callable[[Genes], list[str]]:
    """Return the function from genes (N, D) to digests of architectures."""
    return lambda genes: [space.decode(code).digest for code in genes]
