"""Finding the code of a network: its blocks are assigned to the stages of a space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgenas.arch.architecture import Architecture, Block
from edgenas.errors import SpaceError, explain
from edgenas.space.codes.layout import FIXED, Layout
from edgenas.space.codes.stage import SKIP_ID, StageCode
from edgenas.space.definition import Definition
from edgenas.space.rules import BlockKey, head_of, key_of, stem_of
from edgenas.types import Genes

_Part = tuple[int, tuple[int, ...]]
"""Context and block ids of one stage."""


class _Deal:
    """Assigns the blocks of a network to stages by backtracking. Remembers how far it came, for the error message."""

    def __init__(self, stages: Sequence[StageCode], keys: Sequence[BlockKey | None], width: int) -> None:
        self.stages, self.keys, self.width, self.furthest = stages, keys, width, 0

    def parts(self, stage: int, start: int, before: int) -> tuple[_Part, ...] | None:
        """Find parts for the stages from one on, for the blocks from one on, given the choice of channels before."""
        if stage == len(self.stages):
            return () if start == len(self.keys) else None
        code = self.stages[stage]
        for out in range(code.context_shape[2]):
            context = (self.width * code.context_shape[1] + before) * code.context_shape[2] + out
            for ids in self._runs(code, context, start):
                rest = self.parts(stage + 1, start + len(ids), out)
                if rest is not None:
                    return ((context, ids), *rest)
        return None

    def _runs(self, code: StageCode, context: int, start: int) -> Iterator[tuple[int, ...]]:
        """Yield the block ids of every run of blocks that the stage can be."""
        ids: list[int] = []
        mask = np.full(code.tables[0].masks.shape[2], ~np.uint64(0))
        skips = any(bool((table.ids == SKIP_ID).any()) for table in code.tables)
        for position, key in enumerate(self.keys[start : start + max(code.depths)]):
            table = code.tables[position]
            number = table.numbers[context].get(key) if key is not None else None
            if number is None:
                return
            mask = mask & table.masks[context, number]
            if not mask.any():
                return
            ids.append(number)
            self.furthest = max(self.furthest, start + len(ids))
            if skips or len(ids) in code.depths:
                yield tuple(ids)


def match(
    definition: Definition, layout: Layout, stages: Sequence[StageCode], architecture: Architecture
) -> Genes:
    """Return the canonical code (D,) of a network.

    Args:
        definition: The space.
        layout: Its genes.
        stages: The codes of its stages.
        architecture: The network; how its blocks are grouped into stages does not matter.

    Raises:
        SpaceError: The network is no member.
    """
    _check_fixed(definition, architecture)
    blocks = tuple(architecture.blocks())
    keys = [key_of(definition, block) for block in blocks]
    furthest, fits = 0, False
    for width, factor in enumerate(definition.width):
        if stem_of(definition, factor) != architecture.stem or head_of(definition, factor) != architecture.head:
            continue
        fits = True
        deal = _Deal(stages, keys, width)
        parts = deal.parts(0, 0, 0)
        if parts is not None:
            return _write(definition, layout, stages, architecture, width, parts)
        furthest = max(furthest, deal.furthest)
    if not fits:
        raise _no_member(definition, "stem and head", f"{architecture.stem}, {architecture.head}")
    what = f"the blocks from number {furthest}{_missing(stages, keys, furthest)}"
    raise _no_member(definition, what, _shown(blocks, furthest))


def _missing(stages: Sequence[StageCode], keys: Sequence[BlockKey | None], index: int) -> str:
    """Say which choice a space lacks for a block, by the blocks of the space that differ in one choice only."""
    key = keys[index] if index < len(keys) else None
    if key is None:
        return ""
    allowed: dict[str, set[object]] = {}
    for known in {found for code in stages for table in code.tables for row in table.keys for found in row if found}:
        differing = [name for name in key._fields if getattr(known, name) != getattr(key, name)]
        if len(differing) == 1:
            allowed.setdefault(differing[0], set()).add(getattr(known, differing[0]))
    said = [
        f"{name} {getattr(key, name)} (there {', '.join(map(str, sorted(values, key=str)))})"
        for name, values in allowed.items()
    ]
    return f" (missing is {' or '.join(said)})" if said else ""


def _shown(blocks: Sequence[Block], index: int) -> object:
    return blocks[index] if index < len(blocks) else f"{len(blocks)} blocks in all"


def _no_member(definition: Definition, what: str, got: object, allowed: object = None) -> SpaceError:
    return SpaceError(
        explain(f"the network is no member of the space {definition.name!r}: {what} do not fit", got=got,
                allowed=allowed)
    )


def _check_fixed(definition: Definition, architecture: Architecture) -> None:
    for what in ("in_channels", "classes", "norm_eps", "padding"):
        wanted, got = getattr(definition, what), getattr(architecture, what)
        if wanted != got:
            raise _no_member(definition, what, got, wanted)
    if architecture.resolution not in definition.resolution:
        raise _no_member(definition, "its pixels", architecture.resolution, list(definition.resolution))


def _write(
    definition: Definition,
    layout: Layout,
    stages: Sequence[StageCode],
    architecture: Architecture,
    width: int,
    parts: Sequence[_Part],
) -> Genes:
    genes = np.zeros((1, len(layout.names)), dtype=np.int64)
    if layout.resolution != FIXED:
        genes[0, layout.resolution] = definition.resolution.index(architecture.resolution)
    if layout.width != FIXED:
        genes[0, layout.width] = width
    for code, place, (context, found) in zip(stages, layout.stages, parts, strict=True):
        if place.out != FIXED:
            genes[0, place.out] = context % code.context_shape[2]
        ids = np.full((1, len(code.own_genes)), SKIP_ID, dtype=np.int64)
        ids[0, : len(found)] = found
        code.write(genes, np.asarray([context]), ids)
    return np.asarray(genes[0])
