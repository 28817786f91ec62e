"""MACs, parameters and peak activation memory of whole populations, equal to the one-by-one counts to the unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from edgenas.cost import ELEMENT_BYTES, live_elements, op_macs, op_params
from edgenas.errors import SpaceError, explain
from edgenas.space.codes.coded import CodedSpace
from edgenas.space.costs.contexts import BlockOps, graph_alone
from edgenas.space.costs.parts import Array
from edgenas.space.costs.table import AdditiveTable


def macs_and_params(ops: BlockOps) -> tuple[int, int]:
    """Multiply-accumulates and trainable parameters of one part, as `AdditiveTable.build` takes them."""
    return sum(op_macs(op, sources) for op, sources in ops), sum(op_params(op, sources) for op, sources in ops)


def peak_elements(ops: BlockOps) -> tuple[int]:
    """Most activation values alive while one part runs.

    Between two parts only one tensor is in memory. So the peak of a network is the largest peak of its parts.
    """
    return (max(live_elements(graph_alone(ops))),)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PopulationCosts:
    """Closed-form costs of a space's networks, by their codes (N, D).

    Attributes:
        counts: Table of MACs and parameters.
        peaks: Table of peak activation values.
    """

    counts: AdditiveTable
    peaks: AdditiveTable

    def macs_and_params(self, genes: ArrayLike) -> Array:
        """Multiply-accumulates and parameters (N, 2), in one pass.

        Raises:
            SpaceError: A code does not lie in the space.
        """
        return self.counts.total(genes)

    def macs(self, genes: ArrayLike) -> Array:
        """Multiply-accumulates (N,) for one image; raises as `macs_and_params`."""
        return np.ascontiguousarray(self.counts.total(genes)[:, 0])

    def params(self, genes: ArrayLike) -> Array:
        """Trainable parameters (N,); raises as `macs_and_params`."""
        return np.ascontiguousarray(self.counts.total(genes)[:, 1])

    def peak_activation_bytes(self, genes: ArrayLike, precision: str = "fp32") -> Array:
        """Peak memory (N,) of activations for one image, bytes, as `edgenas.cost.peak_activation_bytes`.

        Raises:
            SpaceError: A code does not lie in the space, or the precision is unknown.
        """
        if precision not in ELEMENT_BYTES:
            raise SpaceError(explain("unknown precision", got=repr(precision), allowed=", ".join(ELEMENT_BYTES)))
        return self.peaks.total(genes)[:, 0] * ELEMENT_BYTES[precision]


@lru_cache(maxsize=16)
def population_costs(space: CodedSpace) -> PopulationCosts:
    """Return the closed-form costs of a space's networks; built once for equal spaces."""
    return PopulationCosts(
        counts=AdditiveTable.build(space, macs_and_params),
        peaks=AdditiveTable.build(space, _peak, reduction="max"),
    )


def _peak(ops: BlockOps) -> Sequence[int]:
    return peak_elements(ops)
