"""From a table to the latency of networks: one with its layers and interval, or a whole population at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenas.arch import Architecture, Graph, lower
from edgenas.errors import TableError, explain
from edgenas.latency.table import RATIO_UNIT, Entry, LatencyTable
from edgenas.latency.units import SourcedOps, Unit, by_block, units
from edgenas.markup import html_table
from edgenas.space import SearchSpace
from edgenas.space.costs.table import AdditiveTable
from edgenas.types import Floats

if TYPE_CHECKING:
    from edgenas.latency.interpolate import Interpolator

# A fact: the two-sided 90 % quantile of the normal distribution.
_NORMAL_90 = 1.6448536269514722
# Errors of estimated entries are counted in this unit of the reference's latency: coarser than `RATIO_UNIT`, so that
# the squares of a network's errors add up in 64 bits. Ten thousand of the largest error still fit.
_ERROR_UNIT = 1e-6
# Follows from `_ERROR_UNIT` and the range of 64 bits.
_MOST_ERROR = 3 * 10**7


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLatency:
    """Predicted time of one unit of a network.

    Attributes:
        name: Its first operation, such as `stages.2.0.expand`.
        block: The block it belongs to.
        key: Its key in the table.
        latency_ms: Its time with its share of the correction.
        error_ms: Standard error of its time.
        interpolated: Whether no measured network contained it.
    """

    name: str
    block: str
    key: str
    latency_ms: float
    error_ms: float
    interpolated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Predicted latency of one network.

    Attributes:
        latency_ms: The prediction.
        low_ms, high_ms: Its interval.
        level: Nominal coverage of the interval.
        layers: Time of every unit, in order.
        overhead_ms: The part of the prediction that belongs to no unit. The layers and this part add up to the
            prediction.
        interpolated: Keys of units that no measured network contained.
        at: The moment of the clock that it speaks of, UTC, in ISO 8601; empty for tables of older versions.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    level: float
    layers: tuple[LayerLatency, ...]
    overhead_ms: float
    interpolated: tuple[str, ...]
    at: str = ""

    def __repr__(self) -> str:
        level = f"{100 * self.level:.0f} %"
        return f"Prediction({self.latency_ms:.4g} ms, {level} interval {self.low_ms:.4g} to {self.high_ms:.4g} ms)"

    def _repr_html_(self) -> str:
        rows = [(name, f"{milliseconds:.4f}") for name, milliseconds in self.by_block().items()]
        estimated = f"; {len(self.interpolated)} operations were estimated" if self.interpolated else ""
        return html_table(("block", "predicted, ms"), rows, title=repr(self), note=f"overhead {self.overhead_ms:.4f} ms"
                          f"{estimated}")  # fmt: skip

    def by_block(self) -> dict[str, float]:
        """Milliseconds by block (`stem`, `stages.0.0`, ..., `head`)."""
        found: dict[str, float] = {}
        for layer in self.layers:
            found[layer.block] = found.get(layer.block, 0.0) + layer.latency_ms
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PopulationLatency:
    """Predicted latencies of N networks.

    Attributes:
        latency_ms: (N,) predictions.
        low_ms, high_ms: (N,) their intervals.
    """

    latency_ms: Floats
    low_ms: Floats
    high_ms: Floats


class TableCosts:
    """Integer costs of units and blocks by a table; the one place where a unit becomes numbers."""

    def __init__(self, table: LatencyTable, *, interpolate: bool = False) -> None:
        self._table = table
        self._interpolator = _interpolator(table) if interpolate else None
        self._known: dict[str, Entry] = {}

    def entry(self, unit: Unit, *, where: str) -> Entry:
        """Return the entry of a unit, interpolated where that is allowed and the table lacks it.

        Raises:
            TableError: The table lacks the unit, and interpolation is not allowed or not possible.
        """
        key = unit.key
        if key in self._table.entries or self._interpolator is None:
            return self._table.entry(key, where=where)
        if key not in self._known:
            self._known[key] = self._interpolator.entry(unit, where=where)
        return self._known[key]

    def block_cost(self, ops: SourcedOps) -> tuple[int, int, int]:
        """Costs of one block, as `AdditiveTable.build` takes them.

        Returns:
            Sum of ratios in `RATIO_UNIT`, number of units, and the variance that entries without a measured network
            add, in `_ERROR_UNIT` squared.

        Raises:
            TableError: The table lacks a unit, or an estimate is too uncertain to be of use.
        """
        total = variance = count = 0
        for unit, name in units(ops):
            entry = self.entry(unit, where=name)
            total += entry.ratio
            variance += self._variance(entry, where=name)
            count += 1
        return total, count, variance

    @staticmethod
    def _variance(entry: Entry, *, where: str) -> int:
        """Variance of an estimated entry, rounded up to `_ERROR_UNIT` squared; 0 of a measured one."""
        if entry.networks:
            return 0
        # Whole numbers are divided, so that exactly the most that is allowed is allowed.
        error = math.ceil(entry.error / round(_ERROR_UNIT / RATIO_UNIT))
        if error > _MOST_ERROR:
            raise TableError(
                explain(
                    f"the estimate of {where} says nothing: its error is {entry.error * RATIO_UNIT:.3g} times the "
                    "latency of the reference network",
                    allowed=f"{_MOST_ERROR * _ERROR_UNIT:g} times",
                    remedy="Build a table for this space.",
                )
            )
        return error**2


def _interpolator(table: LatencyTable) -> Interpolator:
    # It brings scipy in, which nothing else here needs.
    from edgenas.latency.interpolate import Interpolator

    return Interpolator(table.entries)


def latencies(table: LatencyTable, totals: NDArray[np.int64]) -> PopulationLatency:
    """Apply a table's correction to integer sums (N, 3) of `TableCosts.block_cost`.

    Every operation is element by element, so a network's result does not depend on the other networks of the batch.
    """
    correction = table.correction
    sums: Floats = totals.astype(np.float64)
    ratio = sums[:, 0] * RATIO_UNIT
    ratio += correction.per_unit * sums[:, 1]
    ratio += correction.constant
    latency_ms = ratio * table.reference.latency_ms
    extra = _NORMAL_90 * _ERROR_UNIT * table.reference.latency_ms
    half = np.sqrt((table.relative * latency_ms) ** 2 + extra**2 * sums[:, 2])
    return PopulationLatency(latency_ms=latency_ms, low_ms=latency_ms - half, high_ms=latency_ms + half)


def predict(table: LatencyTable, network: Architecture | Graph, *, interpolate: bool = False) -> Prediction:
    """Predict the latency of one network.

    Args:
        table: The table.
        network: An architecture or its graph.
        interpolate: Whether units that the table lacks are estimated from similar ones. The result names them, and they
            widen the interval.

    Raises:
        TableError: The table lacks a unit; names the layer.
    """
    graph = network if isinstance(network, Graph) else lower(network)
    costs = TableCosts(table, interpolate=interpolate)
    blocks = by_block(graph)
    totals = np.array([[costs.block_cost(block) for block in blocks]], dtype=np.int64).sum(axis=1)
    found = latencies(table, totals)
    layers = tuple(_layer(table, costs, block, pair) for block in blocks for pair in units(block))
    return Prediction(
        latency_ms=float(found.latency_ms[0]),
        low_ms=float(found.low_ms[0]),
        high_ms=float(found.high_ms[0]),
        level=table.interval.level,
        layers=layers,
        overhead_ms=table.correction.constant * table.reference.latency_ms,
        interpolated=tuple(dict.fromkeys(layer.key for layer in layers if layer.interpolated)),
        at=table.reference.at,
    )


def _layer(table: LatencyTable, costs: TableCosts, block: SourcedOps, pair: tuple[Unit, str]) -> LayerLatency:
    unit, name = pair
    entry, correction, unit_ms = costs.entry(unit, where=name), table.correction, table.reference.latency_ms
    ratio = entry.ratio * RATIO_UNIT + correction.per_unit
    return LayerLatency(
        name=name,
        block=block[0][0].block,
        key=unit.key,
        latency_ms=ratio * unit_ms,
        error_ms=entry.error * RATIO_UNIT * unit_ms,
        interpolated=entry.networks == 0,
    )


class SpaceLatency:
    """Latencies of a search space's networks by a table, without a loop over networks."""

    def __init__(self, table: LatencyTable, space: SearchSpace, *, interpolate: bool = False) -> None:
        """Cost every distinct block of the space once.

        Args:
            table: The table.
            space: The space.
            interpolate: Whether units that the table lacks are estimated from similar ones.

        Raises:
            TableError: The table lacks a unit of the space; names the layer.
        """
        self.table, self.space = table, space
        self._totals = AdditiveTable.build(space, TableCosts(table, interpolate=interpolate).block_cost)

    def predict(self, genes: ArrayLike) -> PopulationLatency:
        """Predict the latencies of codes (N, D), equal to the last bit to `predict` one by one.

        Raises:
            SpaceError: A code does not lie in the space.
        """
        return latencies(self.table, self._totals.total(genes))

    def latency_ms(self, genes: ArrayLike) -> Floats:
        """Predicted latencies (N,) alone; see `predict`."""
        return self.predict(genes).latency_ms


