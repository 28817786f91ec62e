"""Costs that are sums over the parts of a network, for whole populations at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenas.errors import SpaceError, explain
from edgenas.space.codes.coded import CodedSpace
from edgenas.space.codes.stage import radix
from edgenas.space.costs.contexts import BlockOps, PartContext
from edgenas.space.costs.parts import Array, ContextCost, Part, parts_of

Reduction = Literal["sum", "max"]
BlockCost = Callable[[BlockOps], Sequence[int]]
"""What the operations of one stem, block or head cost: K integers."""

_GROUP_VALUES = 1 << 15
"""Parts are joined into one table while it has at most this many values: it must stay in a core's cache."""

_CHUNK = 2048
"""Codes handled at once: their indices and sums stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdditiveTable:
    """K integers for every network of a space, each the sum (or the maximum) over the parts of the network.

    Parts are joined into a few tables over several genes each, so that a network costs one look-up per table. The
    place in each table is linear in the genes; all places of a chunk come from one matrix product, exact in float32
    because they stay below 2^24.

    Attributes:
        space: The space.
        reduction: How parts come together.
        strides: (D, G) what each gene adds to the place in each of G tables.
        tables: G arrays of (entries, K).
    """

    space: CodedSpace
    reduction: Reduction
    strides: NDArray[np.float32]
    tables: tuple[Array, ...]

    @classmethod
    def build(cls, space: CodedSpace, block_cost: BlockCost, *, reduction: Reduction = "sum") -> AdditiveTable:
        """Build the table. Every distinct block is lowered and costed once; no whole network is.

        Args:
            space: The space.
            block_cost: From the operations of one stem, block or head (each with the operations that feed it) to K
                integers. It may read everything inside the block, but only the shape of an operation outside. Its
                exceptions are passed on.
            reduction: `sum`, or `max` of costs that are not negative.

        Raises:
            SpaceError: The costs are no K >= 1 integers.
        """
        if reduction not in get_args(Reduction):
            raise SpaceError(explain("unknown reduction", got=repr(reduction), allowed="sum, max"))
        return cls.from_contexts(space, _checked(block_cost), reduction=reduction)

    @classmethod
    def from_contexts(cls, space: CodedSpace, cost: ContextCost, *, reduction: Reduction = "sum") -> AdditiveTable:
        """Build the table from costs of parts that are not lowered.

        Args:
            space: The space.
            cost: From a part in its context to K >= 1 integers.
            reduction: As in `build`.
        """
        groups = _grouped(parts_of(space, cost), reduction)
        strides = np.zeros((len(space.cardinalities), len(groups)), dtype=np.float32)
        for column, group in enumerate(groups):
            strides[list(group.genes), column] = radix(group.costs.shape[:-1])
        tables = tuple(np.ascontiguousarray(group.costs.reshape(group.entries, -1)) for group in groups)
        return cls(space=space, reduction=reduction, strides=strides, tables=tables)

    def total(self, genes: ArrayLike) -> Array:
        """Return the costs (N, K) of codes (N, D), canonical or not.

        Raises:
            SpaceError: A code does not lie in the space.
        """
        codes = self.space.validated(genes)
        result = np.empty((len(codes), self.tables[0].shape[1]), dtype=np.int64)
        join = np.add if self.reduction == "sum" else np.maximum
        for start in range(0, len(codes), _CHUNK):
            places = (self.strides.T @ codes[start : start + _CHUNK].astype(np.float32).T).astype(np.intp)
            chunk = result[start : start + _CHUNK]
            np.take(self.tables[0], places[0], axis=0, out=chunk, mode="clip")
            for table, place in zip(self.tables[1:], places[1:], strict=True):
                join(chunk, table.take(place, axis=0, mode="clip"), out=chunk)
        return result


def _checked(cost: BlockCost) -> ContextCost:
    """Cost each distinct part once; refuse costs that are no integers, or another number of them than before."""
    counts: list[int] = []
    known: dict[PartContext, list[int]] = {}

    def checked(context: PartContext) -> list[int]:
        name = replace(context, stage=None)
        if name not in known:
            known[name] = accepted(list(cost(context.ops())))
        return known[name]

    def accepted(costs: list[int]) -> list[int]:
        integers = all(isinstance(value, (int, np.integer)) and not isinstance(value, bool) for value in costs)
        counts.append(len(costs))
        if not costs or not integers or counts[0] != len(costs):
            raise SpaceError(
                explain("a block's cost must be a fixed number of integers", got=costs[:8], allowed="K >= 1 integers")
            )
        return costs

    return checked


def _grouped(parts: Iterable[Part], reduction: Reduction) -> list[Part]:
    """Join parts, in order, into tables of at most `_GROUP_VALUES` values where a part alone is not larger."""
    groups: list[Part] = []
    for one in parts:
        sized = [(_joined_entries(group, one), place) for place, group in enumerate(groups)]
        entries, place = min(sized, default=(0, -1))
        if place >= 0 and entries * one.costs.shape[-1] <= _GROUP_VALUES:
            groups[place] = _joined(groups[place], one, reduction)
        else:
            groups.append(one)
    return groups


def _extents(*parts: Part) -> dict[int, int]:
    return {gene: size for one in parts for gene, size in zip(one.genes, one.costs.shape, strict=False)}


def _joined_entries(first: Part, second: Part) -> int:
    return int(np.prod(list(_extents(first, second).values()), dtype=np.int64))


def _joined(first: Part, second: Part, reduction: Reduction) -> Part:
    extents = _extents(first, second)
    genes = tuple(sorted(extents))
    shaped = [
        one.costs.reshape(*(extents[gene] if gene in one.genes else 1 for gene in genes), one.costs.shape[-1])
        for one in (first, second)
    ]
    join = np.add if reduction == "sum" else np.maximum
    return Part(genes=genes, costs=join(*shaped))
