"""The codes of one stage, and which of them are the same network.

For every channel context (width, channels coming in, channels of the stage) and every joint value of the stage-wide
genes (S) and of a block's own genes (B), the block's key gets a number, the block id. Two codes of a stage are the same
network exactly if the ids of their blocks, skips left out, are equal in order. The canonical code has the smallest
stage-wide value S that can express all its blocks and, for this S, the smallest B of each block. Its skips stand last,
its depth is the smallest that holds the blocks, and genes without an effect (dead genes) are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from edgenas.space.codes.layout import FIXED, Layout
from edgenas.space.definition import Choices, Definition
from edgenas.space.rules import BlockKey, block_key, scaled_channels
from edgenas.types import Genes

SKIP_ID = 0
"""Block id of a skip, in every context."""


def radix(cardinalities: Sequence[int]) -> NDArray[np.int64]:
    """Strides that turn digits of the given cardinalities into one number, the first digit most significant."""
    if not cardinalities:
        return np.zeros(0, dtype=np.int64)
    return np.cumprod([1, *cardinalities[:0:-1]], dtype=np.int64)[::-1]


@dataclass(frozen=True)
class BlockTable:
    """The blocks of one position of a stage, in every channel context.

    Attributes:
        keys: For each context the key of each block id; id 0 is the skip (None).
        ids: (contexts, S, B) block ids.
    """

    keys: tuple[tuple[BlockKey | None, ...], ...]
    ids: NDArray[np.int64]

    @cached_property
    def injective(self) -> bool:
        """Whether every code is a block of its own, and none is a skip."""
        codes = self.ids.shape[1] * self.ids.shape[2]
        return all(len(keys) == codes + 1 for keys in self.keys) and not (self.ids == SKIP_ID).any()

    @cached_property
    def _width(self) -> int:
        return max(len(keys) for keys in self.keys)

    @cached_property
    def masks(self) -> NDArray[np.uint64]:
        """(contexts, ids, words) bit sets: which stage-wide values can express a block."""
        contexts, wide, own = self.ids.shape
        masks = np.zeros((contexts, self._width, (wide + 63) // 64), dtype=np.uint64)
        for value in range(wide):
            rows = np.broadcast_to(np.arange(contexts)[:, None], (contexts, own))
            masks[rows, self.ids[:, value], value // 64] |= np.uint64(1 << (value % 64))
        return masks

    @cached_property
    def _inverse(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        contexts, wide, own = self.ids.shape
        outer = np.arange(contexts * wide, dtype=np.int64).repeat(own)
        keys, first = np.unique(outer * self._width + self.ids.reshape(-1), return_index=True)
        return keys, first % own

    def own(self, context: Genes, wide: Genes, ids: Genes) -> Genes:
        """Return the smallest own value that makes a block, given the stage-wide value that can."""
        keys, own = self._inverse
        wanted = (context * self.ids.shape[1] + wide) * self._width + ids
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, own[at], 0)

    @cached_property
    def numbers(self) -> tuple[dict[BlockKey | None, int], ...]:
        """For each context, the id of each key."""
        return tuple({key: number for number, key in enumerate(keys)} for keys in self.keys)


@dataclass(frozen=True)
class StageCode:
    """The codes of one stage.

    Attributes:
        index: Which stage.
        context_genes: Genes of width, channels coming in (those of the stage before) and channels, in this order.
        context_shape: Number of choices of each.
        contexts: (width, channels coming in, channels) of each context.
        wide_genes, own_genes: Stage-wide genes, and own genes of each position.
        wide_shape: Number of choices of each stage-wide gene.
        own_shapes: Number of choices of each own gene, of each position.
        depths: Choices of depth.
        depth_gene: Its gene, or `FIXED`.
        tables: Blocks of each position; positions with the same choices have the same table.
    """

    index: int
    context_genes: tuple[int, int, int]
    context_shape: tuple[int, int, int]
    contexts: tuple[tuple[float, int, int], ...]
    wide_genes: tuple[int, ...]
    wide_shape: tuple[int, ...]
    own_genes: tuple[tuple[int, ...], ...]
    own_shapes: tuple[tuple[int, ...], ...]
    depths: tuple[int, ...]
    depth_gene: int
    tables: tuple[BlockTable, ...] = field(repr=False)

    def context(self, genes: Genes) -> Genes:
        """Context of the stage in each code (N, D)."""
        total = np.zeros(len(genes), dtype=np.int64)
        for gene, count in zip(self.context_genes, self.context_shape, strict=True):
            total = total * count + (genes[:, gene] if gene != FIXED else 0)
        return total

    def wide(self, genes: Genes) -> Genes:
        """Joint stage-wide value in each code (N, D)."""
        return genes[:, list(self.wide_genes)] @ radix(self.wide_shape)

    def own(self, genes: Genes, position: int) -> Genes:
        """Joint own value of a position in each code (N, D)."""
        return genes[:, list(self.own_genes[position])] @ radix(self.own_shapes[position])

    def depth(self, genes: Genes) -> Genes:
        """Depth as chosen (skips among it) in each code (N, D)."""
        if self.depth_gene == FIXED:
            return np.full(len(genes), self.depths[0], dtype=np.int64)
        return np.asarray(self.depths, dtype=np.int64)[genes[:, self.depth_gene]]

    def block_ids(self, genes: Genes) -> Genes:
        """Block ids (N, positions) of each code (N, D); a skip or a position behind the depth has `SKIP_ID`."""
        context, wide, depth = self.context(genes), self.wide(genes), self.depth(genes)
        ids = np.empty((len(genes), len(self.own_genes)), dtype=np.int64)
        for position in range(len(self.own_genes)):
            found = self.tables[position].ids[context, wide, self.own(genes, position)]
            ids[:, position] = np.where(position < depth, found, SKIP_ID)
        return ids

    def keys(self, code: Sequence[int]) -> list[BlockKey]:
        """Blocks of one code (D,) in order, skips and positions behind the depth left out.

        It says what `block_ids` says, in plain integers: numpy takes ten times as long for one code.
        """
        context = _joined(code, self.context_genes, self.context_shape)
        wide = _joined(code, self.wide_genes, self.wide_shape)
        depth = self.depths[0 if self.depth_gene == FIXED else code[self.depth_gene]]
        found = []
        for table, genes, shape in zip(self.tables[:depth], self.own_genes, self.own_shapes, strict=False):
            key = table.keys[context][int(table.ids[context, wide, _joined(code, genes, shape)])]
            if key is not None:
                found.append(key)
        return found

    @property
    def plain(self) -> bool:
        """Whether only positions beyond the depth need a canonical value."""
        return all(table.injective for table in self.tables)

    def canonicalise(self, genes: Genes) -> None:
        """Bring the stage's genes in codes (N, D) to their canonical values, in place.

        Not needed where `plain`, once the genes behind the depth are 0.
        """
        self.write(genes, self.context(genes), compacted(self.block_ids(genes)))

    def write(self, genes: Genes, context: Genes, ids: Genes) -> None:
        """Write the canonical genes for blocks, in place.

        Args:
            genes: (N, D) codes to write to.
            context: (N,) channel contexts.
            ids: (N, positions) block ids, those of skips last.
        """
        count = (ids != SKIP_ID).sum(axis=1)
        wide = self._smallest_wide(context, ids)
        level = np.searchsorted(self.depths, count)
        depth = np.asarray(self.depths, dtype=np.int64)[level]
        if self.depth_gene != FIXED:
            genes[:, self.depth_gene] = level
        genes[:, list(self.wide_genes)] = _digits(wide, self.wide_shape)
        for position, columns in enumerate(self.own_genes):
            table = self.tables[position]
            own = np.where(position < depth, table.own(context, wide, ids[:, position]), 0)
            genes[:, list(columns)] = _digits(own, self.own_shapes[position])

    def _smallest_wide(self, context: Genes, ids: Genes) -> Genes:
        """Smallest stage-wide value (N,) that can express all blocks."""
        mask = self.tables[0].masks[context, ids[:, 0]]
        for position in range(1, ids.shape[1]):
            present = (ids[:, position] != SKIP_ID)[:, None]
            mask = np.where(present, mask & self.tables[position].masks[context, ids[:, position]], mask)
        word = (mask != 0).argmax(axis=1)
        lowest = np.take_along_axis(mask, word[:, None], axis=1)[:, 0]
        lowest = lowest & (~lowest + np.uint64(1))
        return word * 64 + np.frexp(lowest.astype(np.float64))[1].astype(np.int64) - 1


def _joined(code: Sequence[int], genes: Sequence[int], shape: Sequence[int]) -> int:
    """Join the values of genes into one number, as `radix` does."""
    total = 0
    for gene, count in zip(genes, shape, strict=True):
        total = total * count + (0 if gene == FIXED else code[gene])
    return total


def compacted(ids: Genes) -> Genes:
    """Move the skips in block ids (N, positions) to the end. The blocks keep their order."""
    return np.take_along_axis(ids, np.argsort(ids == SKIP_ID, axis=1, kind="stable"), axis=1)


def _digits(values: Genes, shape: Sequence[int]) -> Genes:
    """Take joint values (N,) apart into the digits (N, len(shape)) that `radix` joins."""
    if not shape:
        return np.zeros((len(values), 0), dtype=np.int64)
    return (values[:, None] // radix(shape)) % np.asarray(shape, dtype=np.int64)


def stage_code(definition: Definition, layout: Layout, index: int) -> StageCode:
    """Number the blocks of one stage."""
    genes, stage = layout.stages[index], definition.stages[index]
    before = definition.stages[index - 1].out if index else (definition.stem.channels,)
    widths = definition.width
    scale = definition.stem.scale if index == 0 else "always"
    contexts = tuple(
        (
            width,
            scaled_channels(channels, width, divisor=definition.divisor, scale=scale),
            scaled_channels(out, width, divisor=definition.divisor),
        )
        for width, channels, out in product(widths, before, stage.out)
    )
    shapes = tuple(tuple(len(layout.choices[gene]) for gene in block.own) for block in genes.blocks)
    positions = range(len(genes.blocks))
    tables = {
        place: _table(definition, layout, index, contexts, place) for place in sorted(set(map(stage.like, positions)))
    }
    return StageCode(
        index=index,
        context_genes=(layout.width, layout.stages[index - 1].out if index else FIXED, genes.out),
        context_shape=(len(widths), len(before), len(stage.out)),
        contexts=contexts,
        wide_genes=genes.wide,
        wide_shape=tuple(len(layout.choices[gene]) for gene in genes.wide),
        own_genes=tuple(block.own for block in genes.blocks),
        own_shapes=shapes,
        depths=stage.depth,
        depth_gene=genes.depth,
        tables=tuple(tables[stage.like(position)] for position in positions),
    )


def _table(
    definition: Definition,
    layout: Layout,
    index: int,
    contexts: Sequence[tuple[float, int, int]],
    position: int,
) -> BlockTable:
    stage, genes = definition.stages[index], layout.stages[index]
    values, wide_count, own_count = _values(layout, index, position)
    keys: list[tuple[BlockKey | None, ...]] = []
    ids = np.empty((len(contexts), wide_count * own_count), dtype=np.int64)
    for row, (width, before, out) in enumerate(contexts):
        numbers: dict[BlockKey | None, int] = {None: SKIP_ID}
        for column, choice in enumerate(values):
            key = block_key(
                definition, stage, choice, first=position == 0, in_channels=out if position else before,
                out_channels=out, width=width,
            )
            ids[row, column] = numbers.setdefault(key, len(numbers))
        keys.append(tuple(numbers))
    assert len(genes.blocks) > position
    return BlockTable(keys=tuple(keys), ids=ids.reshape(len(contexts), wide_count, own_count))


def _values(layout: Layout, index: int, position: int) -> tuple[list[Choices], int, int]:
    """The values of all fields for each (stage-wide, own) joint value of a position, and both counts."""
    stage = layout.stages[index]
    block = stage.blocks[position]
    digits = (*stage.wide, *block.own)
    place = {gene: number for number, gene in enumerate(digits)}
    values = []
    for code in product(*(range(len(layout.choices[gene])) for gene in digits)):
        values.append(
            tuple(
                choices[code[place[gene]] if gene != FIXED else 0]
                for choices, gene in zip(block.choices, block.genes, strict=True)
            )
        )
    own_count = int(np.prod([len(layout.choices[gene]) for gene in block.own], dtype=np.int64))
    return values, len(values) // own_count, own_count
