"""The parts of a space (stem, positions of blocks, head) with what each costs under every choice that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from edgenas.space.codes.coded import CodedSpace
from edgenas.space.codes.layout import FIXED
from edgenas.space.codes.stage import SKIP_ID, StageCode
from edgenas.space.costs.contexts import PartContext, sizes
from edgenas.space.rules import block_of, head_of, stem_of

Array = NDArray[np.int64]
ContextCost = Callable[[PartContext], Sequence[int]]
"""What one stem, block or head costs in its context: K integers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One part of a network.

    Attributes:
        genes: The genes that it depends on, ascending.
        costs: Its cost under every combination of them: one axis for each gene, then K.
    """

    genes: tuple[int, ...]
    costs: Array

    @property
    def entries(self) -> int:
        """Number of combinations."""
        return int(np.prod(self.costs.shape[:-1], dtype=np.int64))


def part(genes: Sequence[int], costs: Array) -> Part:
    """Make a part from ascending genes, `FIXED` among them, with one axis of costs for each."""
    kept = tuple(gene for gene in genes if gene != FIXED)
    axes = tuple(axis for axis, gene in enumerate(genes) if gene == FIXED)
    return Part(genes=kept, costs=np.ascontiguousarray(np.squeeze(costs, axis=axes)))


def parts_of(space: CodedSpace, cost: ContextCost) -> Iterator[Part]:
    """Yield the parts of a space; a network costs what its parts cost together.

    Args:
        space: The space.
        cost: Called once for each distinct part of a stage in its context.
    """
    definition, layout = space.definition, space.layout
    extents = [sizes(space, resolution) for resolution in definition.resolution]
    ends = [layout.resolution, layout.width]
    yield part(
        ends,
        np.array(
            [
                [
                    cost(
                        PartContext(
                            part=stem_of(definition, width), in_channels=definition.in_channels, size=pixels,
                            padding=definition.padding,
                        )
                    )
                    for width in definition.width
                ]
                for pixels in definition.resolution
            ],
            dtype=np.int64,
        ),
    )
    for code in space.stages:
        yield from _stage_parts(space, code, extents, cost)
    last = space.stages[-1]
    shape = (len(extents), last.context_shape[0], *last.context_shape[1:], -1)
    heads = [
        cost(
            PartContext(
                part=head_of(definition, width), in_channels=out, size=size[-1], classes=definition.classes,
                padding=definition.padding,
            )
        )
        for size, (width, _, out) in product(extents, last.contexts)
    ]
    yield part([*ends, last.context_genes[2]], np.array(heads, dtype=np.int64).reshape(shape)[:, :, 0])


def _stage_parts(
    space: CodedSpace, code: StageCode, extents: Sequence[tuple[int, ...]], cost: ContextCost
) -> Iterator[Part]:
    known: dict[object, Sequence[int]] = {}
    stage, made = space.definition.stages[code.index], {}
    wide, depths = list(code.wide_genes), np.asarray(code.depths)
    width, before, out = code.context_genes
    for position, own in enumerate(code.own_genes):
        if (place := stage.like(position)) not in made:
            made[place] = _position_costs(space, code, extents, position, cost, known)
        costs = made[place]
        ends = [space.layout.resolution, width, before if position == 0 else FIXED, out]
        if position < min(code.depths):
            yield part([*ends, *wide, *own], costs)
            continue
        present = np.where(depths > position, 1, 0).reshape(-1, *([1] * (costs.ndim - 4)))
        yield part([*ends, code.depth_gene, *wide, *own], costs[:, :, :, :, None] * present)


def _position_costs(
    space: CodedSpace,
    code: StageCode,
    extents: Sequence[tuple[int, ...]],
    position: int,
    cost: ContextCost,
    known: dict[object, Sequence[int]],
) -> Array:
    """Costs of a position that has a block: axes resolution, width, before, channels, stage-wide, own, K.

    The axis `before` has one value for positions behind the first.
    """
    table = code.tables[position]
    befores = code.context_shape[1]
    contexts = range(len(code.contexts)) if position == 0 else [
        context for context in range(len(code.contexts)) if context // code.context_shape[2] % befores == 0
    ]
    rows = []
    for extent, context in product(extents, contexts):
        size = extent[code.index + min(position, 1)]
        _, before, out = code.contexts[context]
        channels = out if position else before
        costs: list[Sequence[int] | None] = [None]
        for key in table.keys[context][1:]:
            assert key is not None
            name = (size, channels, key)
            if name not in known:
                block = block_of(space.definition, key)
                known[name] = cost(
                    PartContext(
                        part=block, in_channels=channels, size=size, stage=code.index,
                        padding=space.definition.padding,
                    )
                )
            costs.append(known[name])
        costs[SKIP_ID] = [0] * len(costs[1] or ())
        rows.append(np.array(costs, dtype=np.int64)[table.ids[context]])
    shape = (
        len(extents), code.context_shape[0], 1 if position else befores, code.context_shape[2],
        *code.wide_shape, *code.own_shapes[position], -1,
    )
    return np.stack(rows).reshape(shape)
