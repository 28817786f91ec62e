"""Costs of candidates: table latency and closed-form counts, for whole populations and for one network by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import GATES, Architecture, Graph, Op, lower
from edgenas.cost import op_macs, op_params
from edgenas.types import Floats, Genes

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable
    from edgenas.pipeline.search.sizes import SizeModel
    from edgenas.space import SearchSpace



@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Costs of N networks.

    Attributes:
        latency_ms: (N,) predicted by the table.
        latency_error_ms: (N,) standard error of the prediction.
        macs: (N,) multiply-accumulates.
        params: (N,) parameters.
        file_bytes: (N,) size of the file that ships; None where nobody asks for it.
        ram_bytes: (N,) memory planned for activations; likewise.
    """

    latency_ms: Floats
    latency_error_ms: Floats
    macs: NDArray[np.int64]
    params: NDArray[np.int64]
    file_bytes: Floats | None = None
    ram_bytes: Floats | None = None


class CostModel:
    """Costs of a space's networks on one target, by the table; no loop over networks.

    Attributes:
        relative: Half width of the interval of a predicted latency, its clock's error included.
        sizes: Of the files that ship; None where nobody asks for them.
    """

    def __init__(
        self, space: SearchSpace, table: LatencyTable, *, clock_error: float = 0.0, sizes: SizeModel | None = None
    ) -> None:
        """Prepare the tables of the space (seconds for a large one).

        Args:
            space: The space.
            table: The table.
            clock_error: Relative standard error of the clock that brings predictions to the present; in their errors.
            sizes: Of the files, where they are limited or objectives.
        """
        from edgenas.latency import SpaceLatency
        from edgenas.space import population_costs

        now = table.with_clock_error(clock_error)
        self._latency = SpaceLatency(now, space)
        self.relative = now.relative
        self._counts, self.sizes = population_costs(space), sizes

    def __call__(self, genes: Genes) -> Costs:
        """Return the costs of networks (N, D)."""
        found = self._latency.predict(genes)
        return Costs(
            latency_ms=found.latency_ms,
            latency_error_ms=(found.high_ms - found.low_ms) / (2 * 1.645),
            macs=self._counts.macs(genes),
            params=self._counts.params(genes),
            **({name: self.sizes.values(name, genes) for name in self.sizes.metrics} if self.sizes else {}),
        )


def blocks_of(graph: Graph) -> dict[str, list[tuple[Op, tuple[Op, ...]]]]:
    """Group a graph's operations, with what feeds them, by block, in order."""
    groups: dict[str, list[tuple[Op, tuple[Op, ...]]]] = {}
    for op, sources in graph.with_inputs():
        if op.kind != "input":
            groups.setdefault(op.block, []).append((op, sources))
    return groups


def layer_rows(architecture: Architecture, latency_ms: dict[str, float]) -> list[dict[str, Any]]:
    """Describe the blocks of a network for a report.

    Args:
        architecture: The network.
        latency_ms: Predicted latency by block.
    """
    rows = []
    for name, operations in blocks_of(lower(architecture)).items():
        last = operations[-1][0].shape
        rows.append(
            {
                "block": name,
                "what": describe_block([op for op, _ in operations]),
                "shape": f"{last.channels} x {last.height} x {last.width}",
                "macs": sum(op_macs(op, sources) for op, sources in operations),
                "params": sum(op_params(op, sources) for op, sources in operations),
                "latency_ms": latency_ms.get(name, 0.0),
            }
        )
    return rows


def describe_block(operations: Sequence[Op]) -> str:
    """Say in a few words what a block does: "1x1 to 72, dw 5x5 /2, SE 24, 1x1 to 40, add"."""
    words = []
    for op in operations:
        part = op.name.rsplit(".", 1)[1]
        stride = f" /{op.stride}" if op.stride > 1 else ""
        if op.depthwise:
            words.append(f"depthwise {op.kernel}x{op.kernel}{stride}")
        elif part == "squeeze":
            words.append(f"SE {op.shape.channels}")
        elif op.kind == "conv" and part != "excite":
            words.append(f"{op.kernel}x{op.kernel}{stride} to {op.shape.channels}")
        elif op.kind == "fc":
            words.append(f"linear to {op.shape.channels}")
        elif op.kind == "add":
            words.append("add")
        elif part == "pool":
            words.append("pool")
    activations = {op.activation for op in operations if op.kind == "act" and not op.name.startswith("excite")}
    kinds = sorted(name.replace("_", "-") for name in activations if name not in GATES)
    return ", ".join(words) + (f" ({', '.join(kinds)})" if kinds else "")
