"""What networks are made of, as counts, and linear models on these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgenas.arch import Graph, Op
from edgenas.arch.padding import same_padding
from edgenas.cost import op_params
from edgenas.types import Floats, Genes

if TYPE_CHECKING:
    from edgenas.space import SearchSpace
    from edgenas.space.costs.table import AdditiveTable

_Kind = tuple[str, str, bool, bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Composition:
    """Counts of operations by kind, of parameters and of channels for every network of a space."""

    table: AdditiveTable

    @classmethod
    def of(cls, space: SearchSpace, graphs: Sequence[Graph]) -> Composition:
        """Count in a space.

        Args:
            space: The space.
            graphs: Some networks of it; the kinds of operations are theirs.
        """
        from edgenas.space.costs.table import AdditiveTable

        kinds = sorted({_kind(op, sources) for graph in graphs for op, sources in graph.with_inputs()})
        places = {kind: place for place, kind in enumerate(kinds, start=2)}

        def counts(ops: Sequence[tuple[Op, tuple[Op, ...]]]) -> list[int]:
            row = [0] * (2 + len(kinds))
            for op, sources in ops:
                row[0] += op_params(op, sources)
                row[1] += op.shape.channels if op.weighted else 0
                if (kind := _kind(op, sources)) in places:
                    row[places[kind]] += 1
            return row

        return cls(table=AdditiveTable.build(space, counts))

    def fitted(self, genes: Genes, values: Floats) -> Callable[[Genes], Floats]:
        """Fit values (N,) of networks (N, D) by least squares; return the model, from (M, D) to (M,)."""

        def columns(genes: Genes) -> Floats:
            counts = self.table.total(genes).astype(np.float64)
            return np.column_stack([counts, np.ones(len(counts))])

        known = columns(genes)
        scale = np.maximum(np.abs(known).max(axis=0), 1.0)
        weights = np.linalg.lstsq(known / scale, values, rcond=None)[0]
        return lambda genes: np.asarray(columns(genes) / scale @ weights, dtype=np.float64)


def _kind(op: Op, sources: tuple[Op, ...]) -> _Kind:
    padded = False
    if op.kind == "conv":
        top, left, bottom, right = op.padding
        shape = sources[0].shape
        vertical = same_padding(shape.height, op.kernel, op.stride)
        horizontal = same_padding(shape.width, op.kernel, op.stride)
        padded = any(op.padding) and (top, left, bottom, right) != (
            vertical[0], horizontal[0], vertical[1], horizontal[1]
        )  # fmt: skip
    return op.kind, op.activation, op.depthwise, padded
