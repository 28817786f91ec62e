"""Judging candidates: accuracy or score by an estimator, latency from the table, counts in closed form."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture
from edgenas.errors import DeviceError, ExportError, TrainingError
from edgenas.evaluate.quality import Quality
from edgenas.evaluate.registry import Judgement
from edgenas.pipeline.search.cost_model import CostModel, Costs
from edgenas.pipeline.search.limits import LIMITS
from edgenas.study import Evaluation, Failure, Limit, Metric, Objective, Outcome
from edgenas.study.values import Source
from edgenas.types import Genes
from edgenas.workers import Workers

if TYPE_CHECKING:
    from edgenas.space import SearchSpace
    from edgenas.supernet import SupernetEvaluator

_ERRORS = (TrainingError, DeviceError, ExportError, MemoryError, RuntimeError)
"""What may say something about one network; see `_of_the_network`."""

MeasureLatency = Callable[[Architecture], tuple[float, float]]
"""From a network to its latency on the device and the standard error of that, ms."""

_NONE = Judgement(value=math.nan)

_Value: TypeAlias = tuple[float, float | None, str, Source]
"""Value, standard error, unit and source of a metric whose value may be NaN."""

GOALS: dict[str, str] = {"accuracy": "maximise", "latency_ms": "minimise", **dict.fromkeys(LIMITS, "minimise")}


def objectives_of(names: list[str]) -> tuple[Objective, ...]:
    """Return the objectives of a configuration's names."""
    return tuple(Objective(metric=name, goal="maximise" if GOALS[name] == "maximise" else "minimise") for name in names)


class Judge:
    """Evaluates genes: yields one outcome after the other, so that a killed run loses at most one.

    Where the estimator compares networks, a batch is judged before the first of its outcomes.
    """

    def __init__(
        self,
        space: SearchSpace,
        costs: CostModel,
        accuracy: SupernetEvaluator | Quality,
        *,
        measure: MeasureLatency | None = None,
        limits: Sequence[Limit] = (),
        workers: Workers | None = None,
    ) -> None:
        """Keep what judges.

        Args:
            space: Of the candidates.
            costs: Counts, and latency by the table.
            accuracy: Of members of the supernet, or another estimator.
            measure: Latency of a network on the device, instead of the table's.
            workers: Train candidates at once, where an estimator trains them one by one; None does one at a time.
            limits: Networks that are beyond one of them by what is known beforehand compete among themselves.
        """
        self._space, self._costs, self._accuracy, self._measure = space, costs, accuracy, measure
        self._limits, self._workers = limits, workers or Workers()

    def __call__(self, genes: Genes) -> Iterator[Outcome]:
        """Judge networks (N, D), in order."""
        costs = self._costs(genes)
        for row, judged in enumerate(self._judged(genes, costs)):
            yield self._outcome(genes[row], costs, row, judged)

    def _judged(self, genes: Genes, costs: Costs) -> Iterator[tuple[Judgement, float] | None]:
        """Yield the judgement of every row and its seconds; None where it is judged when its outcome is made."""
        if _compares(self._accuracy):
            compared = self._compared(self._accuracy, genes, costs)
            yield from (compared[row] for row in range(len(genes)))
        elif self._workers.count > 1 and isinstance(self._accuracy, Quality):
            for answer in self._workers.each(self._timed, list(genes)):
                # An error is that of worker processes which died.
                if isinstance(answer, TrainingError):
                    yield Judgement(value=math.nan, failure=_reason(answer)), 0.0
                else:
                    yield answer
        else:
            yield from (None for _ in genes)

    def _timed(self, code: Genes) -> tuple[Judgement, float]:
        """Judge one network (D,) in a worker; an error of this network alone becomes a failure."""
        started = time.monotonic()
        try:
            judged = self._quality(code)
        except _ERRORS as error:
            judged = Judgement(value=math.nan, failure=_reason(error))
        return judged, time.monotonic() - started

    def _compared(self, estimator: Quality, genes: Genes, costs: Costs) -> dict[int, tuple[Judgement, float]]:
        """Return the judgement of every row by an estimator that compares, and the seconds that it took."""
        found: dict[int, tuple[Judgement, float]] = {}
        beyond = self._beyond(costs, len(genes))
        for rows in (np.flatnonzero(~beyond), np.flatnonzero(beyond)):
            if not len(rows):
                continue
            started = time.monotonic()
            try:
                judged = estimator.several(genes[rows])
            except _ERRORS as error:
                judged = [Judgement(value=math.nan, failure=_reason(error))] * len(rows)
            seconds = (time.monotonic() - started) / len(rows)
            found |= {int(row): (entry, seconds) for row, entry in zip(rows, judged, strict=True)}
        return found

    def _beyond(self, costs: Costs, count: int) -> NDArray[np.bool_]:
        """Which of N networks are beyond a limit, as far as that is known before they are judged."""
        beyond = np.zeros(count, dtype=bool)
        for limit in self._limits:
            known = limit.metric in LIMITS or (limit.metric == "latency_ms" and self._measure is None)
            if known and limit.at_most is not None:
                beyond |= np.asarray(getattr(costs, limit.metric)) > limit.at_most
        return beyond

    def _outcome(self, code: Genes, costs: Costs, row: int, compared: tuple[Judgement, float] | None) -> Outcome:
        """Judge one network (D,). An error of this network alone becomes a failure; any other is raised."""
        started, before, judged = time.monotonic(), 0.0, _NONE
        network = self._space.decode(code)
        try:
            judged, before = (self._quality(code), 0.0) if compared is None else compared
            failed = judged.failure
            metrics = {} if failed else self._metrics(network, judged, costs, row)
        except _ERRORS as error:
            failed, metrics = _reason(error), {}
        seconds, genes = before + time.monotonic() - started, tuple(int(gene) for gene in code)
        broken = [name for name, (value, *_) in metrics.items() if not math.isfinite(value)]
        if broken:
            failed = f"{' and '.join(broken)} of the network is not a number"
        if failed:
            return Failure(reason=failed, digest=network.digest, genes=genes, seconds=seconds)
        return Evaluation(
            digest=network.digest,
            genes=genes,
            metrics=tuple(
                (name, Metric(value=value, standard_error=error, unit=unit, source=source))
                for name, (value, error, unit, source) in metrics.items()
            ),
            fidelity=judged.fidelity,
            seconds=seconds,
        )

    def _metrics(self, network: Architecture, judged: Judgement, costs: Costs, row: int) -> dict[str, _Value]:
        return {
            "accuracy": (judged.value, judged.standard_error, *_kind(self._accuracy)),
            "latency_ms": self._latency(network, costs, row),
            "macs": (float(costs.macs[row]), 0.0, "MAC", "proxy"),
            "params": (float(costs.params[row]), 0.0, "parameter", "proxy"),
            **self._sizes(network),
        }

    def _sizes(self, network: Architecture) -> dict[str, _Value]:
        """Size and planned memory of the network's own file, where they are asked for."""
        sizes = getattr(self._costs, "sizes", None)
        found: dict[str, int] = {} if sizes is None else sizes.exact(network)
        return {name: (float(value), 0.0, LIMITS[name].unit, "predicted") for name, value in found.items()}

    def _quality(self, code: Genes) -> Judgement:
        if isinstance(self._accuracy, Quality):
            return self._accuracy.one(code)
        found = self._accuracy.evaluate(code[None])
        return Judgement(value=float(found.accuracy[0]), standard_error=float(found.standard_error[0]))

    def _latency(self, network: Architecture, costs: Costs, row: int) -> _Value:
        if self._measure is None:
            value, error = float(costs.latency_ms[row]), float(costs.latency_error_ms[row])
            return value, error, "ms", "predicted"
        value, error = self._measure(network)
        return value, error, "ms", "measured"


def identify(space: SearchSpace) -> Callable[[Genes], list[str]]:
    """Return the function from genes (N, D) to digests of architectures."""
    return lambda genes: [space.decode(code).digest for code in genes]


def _compares(estimator: SupernetEvaluator | Quality) -> TypeGuard[Quality]:
    return isinstance(estimator, Quality) and estimator.together


def _kind(estimator: SupernetEvaluator | Quality) -> tuple[str, Source]:
    """Return unit and source of what an estimator says."""
    return (estimator.unit, estimator.source) if isinstance(estimator, Quality) else ("1", "inherited")


def _reason(error: Exception) -> str:
    """Say in one line what is wrong with a network.

    Raises:
        Exception: The error itself, where it says nothing about the network.
    """
    if not _of_the_network(error):
        raise error
    return " ".join(str(error).split()) or type(error).__name__


def _of_the_network(error: Exception) -> bool:
    """Whether an error says something about one network: it cannot be trained, does not fit, or a device refuses it.

    A RuntimeError does so only if memory ran out. Any other RuntimeError is a mistake of the program.
    """
    if isinstance(error, (TrainingError, DeviceError, ExportError, MemoryError)):
        return True
    from edgenas.train.loop.memory import is_out_of_memory

    return isinstance(error, RuntimeError) and is_out_of_memory(error)
