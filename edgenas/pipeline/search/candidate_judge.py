"""Judging candidates: inherited accuracy from the supernet, latency from the table, counts in closed form."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from edgenas.arch import Architecture
from edgenas.errors import DeviceError, ExportError, TrainingError
from edgenas.pipeline.search.cost_model import CostModel, Costs
from edgenas.study import Evaluation, Failure, Metric, Objective, Outcome
from edgenas.study.values import Source
from edgenas.types import Genes

if TYPE_CHECKING:
    from edgenas.evaluate.registry import JudgeOne
    from edgenas.space import SearchSpace
    from edgenas.supernet import SupernetEvaluator

MeasureLatency = Callable[[Architecture], tuple[float, float]]
"""From a network to its latency on the device and the standard error of that, ms."""

_Value: TypeAlias = tuple[float, float | None, str, Source]
"""Value, standard error, unit and source of a metric whose value may be NaN."""

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
        accuracy: SupernetEvaluator | None,
        *,
        measure: MeasureLatency | None = None,
        judge_one: tuple[JudgeOne, Source] | None = None,
    ) -> None:
        """Keep what judges.

        Args:
            space: Of the candidates.
            costs: Counts, and latency by the table.
            accuracy: Of members of the supernet; None where `judge_one` judges.
            measure: Latency of a network on the device, in the place of the table's.
            judge_one: Judges the accuracy of one network in the place of the supernet, with the source of its numbers.
        """
        self._space, self._costs, self._accuracy, self._measure = space, costs, accuracy, measure
        self._judge_one = judge_one

    def __call__(self, genes: Genes) -> Iterator[Outcome]:
        """Judge networks (N, D), in order."""
        costs = self._costs(genes)
        for row, code in enumerate(genes):
            yield self._outcome(code, costs, row)

    def _outcome(self, code: Genes, costs: Costs, row: int) -> Outcome:
        """Judge one network (D,). An error of this network alone becomes a failure; any other is raised."""
        started = time.monotonic()
        network = self._space.decode(code)
        try:
            metrics = self._metrics(network, code, costs, row)
        except (TrainingError, DeviceError, ExportError, MemoryError, RuntimeError) as error:
            if not _of_the_network(error):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            return Failure(reason=reason, digest=network.digest, seconds=time.monotonic() - started)
        broken = [name for name, (value, *_) in metrics.items() if not math.isfinite(value)]
        if broken:
            reason = f"{' and '.join(broken)} of the network is not a number"
            return Failure(reason=reason, digest=network.digest, seconds=time.monotonic() - started)
        return Evaluation(
            digest=network.digest,
            genes=tuple(int(gene) for gene in code),
            metrics=tuple(
                (name, Metric(value=value, standard_error=error, unit=unit, source=source))
                for name, (value, error, unit, source) in metrics.items()
            ),
            seconds=time.monotonic() - started,
        )

    def _metrics(self, network: Architecture, code: Genes, costs: Costs, row: int) -> dict[str, _Value]:
        return {
            "accuracy": self._quality(code),
            "latency_ms": self._latency(network, costs, row),
            "macs": (float(costs.macs[row]), 0.0, "MAC", "proxy"),
            "params": (float(costs.params[row]), 0.0, "parameter", "proxy"),
        }

    def _quality(self, code: Genes) -> _Value:
        if self._judge_one is not None:
            judge, source = self._judge_one
            return (*judge(code), "1", source)
        assert self._accuracy is not None
        found = self._accuracy.evaluate(code[None])
        return float(found.accuracy[0]), float(found.standard_error[0]), "1", "inherited"

    def _latency(self, network: Architecture, costs: Costs, row: int) -> _Value:
        if self._measure is None:
            value, error = float(costs.latency_ms[row]), float(costs.latency_error_ms[row])
            return value, error, "ms", "predicted"
        value, error = self._measure(network)
        return value, error, "ms", "measured"


def identify(space: SearchSpace) -> Callable[[Genes], list[str]]:
    """Return the function from genes (N, D) to digests of architectures."""
    return lambda genes: [space.decode(code).digest for code in genes]


def _of_the_network(error: Exception) -> bool:
    """Whether an error says something about one network: it cannot be trained, does not fit, or a device refuses it.

    A RuntimeError does so only if memory ran out. Any other RuntimeError is a mistake of the program.
    """
    if isinstance(error, (TrainingError, DeviceError, ExportError, MemoryError)):
        return True
    from edgenas.train.memory import is_out_of_memory

    return isinstance(error, RuntimeError) and is_out_of_memory(error)
