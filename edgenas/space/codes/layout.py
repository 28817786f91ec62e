"""Where every choice stands in the gene vector.

Order: resolution, width, then for every stage its channels, depth, stage-wide choices, and block after block its own
choices in the order of `FIELDS`. A choice with a single value has no gene. One exception: a space without any choice
keeps one gene for the resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgenas.space.definition import FIELDS, ChoiceField, Choices, Definition, StageChoices

FIXED = -1
"""Stands for the gene of a choice that has only one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLayout:
    """Genes of one position of a stage.

    Attributes:
        choices: Allowed values of each of `FIELDS`.
        genes: Gene of each field, the stage's or the block's own; `FIXED` where there is none.
        own: The genes that belong to this block alone, ascending.
    """

    choices: tuple[Choices, ...]
    genes: tuple[int, ...]
    own: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLayout:
    """Genes of one stage.

    Attributes:
        out: Gene of the channels, or `FIXED`.
        depth: Gene of the depth, or `FIXED`.
        wide: Genes of the stage-wide choices, ascending.
        blocks: One layout for each position up to the largest depth.
    """

    out: int
    depth: int
    wide: tuple[int, ...]
    blocks: tuple[BlockLayout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Genes of a whole space.

    Attributes:
        resolution: Gene of the resolution, or `FIXED`.
        width: Gene of the width multiplier, or `FIXED`.
        stages: Layout of each stage.
        names: Name of each gene (D), such as `stages.2.1.kernel`.
        choices: What the values of each gene (D) stand for.
    """

    resolution: int
    width: int
    stages: tuple[StageLayout, ...]
    names: tuple[str, ...]
    choices: tuple[Choices, ...]


class _Genes:
    """Hands out genes."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.choices: list[Choices] = []

    def add(self, name: str, choices: Choices) -> int:
        """Return a new gene, or `FIXED` where there is nothing to choose."""
        if len(choices) < 2:
            return FIXED
        self.names.append(name)
        self.choices.append(choices)
        return len(self.names) - 1


def layout_of(definition: Definition) -> Layout:
    """Lay out the genes of a space."""
    genes = _Genes()
    resolution = genes.add("resolution", definition.resolution)
    width = genes.add("width", definition.width)
    stages = tuple(_stage(genes, f"stages.{index}", stage) for index, stage in enumerate(definition.stages))
    if not genes.names:
        genes.names.append("resolution")
        genes.choices.append(definition.resolution)
        resolution = 0
    return Layout(
        resolution=resolution, width=width, stages=stages, names=tuple(genes.names), choices=tuple(genes.choices)
    )


def _stage(genes: _Genes, name: str, stage: StageChoices) -> StageLayout:
    out = genes.add(f"{name}.out", stage.out)
    depth = genes.add(f"{name}.depth", stage.depth)
    positions = range(max(stage.depth))
    wide = {
        field: genes.add(f"{name}.{field}", getattr(stage, field))
        for field in FIELDS
        if any(stage.shared(field, position=position) for position in positions)
    }
    blocks = tuple(_block(genes, f"{name}.{position}", stage, wide, position=position) for position in positions)
    return StageLayout(
        out=out, depth=depth, wide=tuple(sorted(gene for gene in wide.values() if gene != FIXED)), blocks=blocks
    )


def _block(
    genes: _Genes, name: str, stage: StageChoices, wide: Mapping[ChoiceField, int], *, position: int
) -> BlockLayout:
    choices = tuple(stage.choices(field, position=position) for field in FIELDS)
    found, own = [], []
    for field, values in zip(FIELDS, choices, strict=True):
        if stage.shared(field, position=position):
            found.append(wide[field])
            continue
        found.append(genes.add(f"{name}.{field}", values))
        if found[-1] != FIXED:
            own.append(found[-1])
    return BlockLayout(choices=choices, genes=tuple(found), own=tuple(own))
