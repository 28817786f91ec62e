"""The operations of a space's parts, each lowered once in the context in which it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from edgenas.arch.architecture import Architecture, Block, Head, Stage, Stem
from edgenas.arch.graph import Graph, Op
from edgenas.arch.lower import lower
from edgenas.arch.padding import PaddingRule
from edgenas.space.codes.coded import CodedSpace
from edgenas.space.rules import head_of, stem_of

BlockOps = tuple[tuple[Op, tuple[Op, ...]], ...]
"""The operations of one block, each with the operations that feed it, in order.

Names are those of a network of this block alone. Of an operation outside the block only the shape is as in the whole
network.
"""


def graph_alone(ops: BlockOps) -> Graph:
    """Return a part of a network as a graph behind inputs, to be walked for its memory; its `norm_eps` means nothing.

    Args:
        ops: Of the part.
    """
    inside = {op.name for op, _ in ops}
    outside = {
        source.name: Op(kind="input", name=source.name, shape=source.shape)
        for _, sources in ops
        for source in sources
        if source.name not in inside
    }
    return Graph(ops=(*outside.values(), *(op for op, _ in ops)), norm_eps=1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartContext:
    """A stem, block or head, and what it stands in.

    Attributes:
        part: The part.
        in_channels: Channels coming in.
        size: Height and width coming in.
        classes: Outputs, of a head.
        stage: The stage of a block; None where that does not matter.
        padding: Of the network.
    """

    part: Stem | Block | Head
    in_channels: int
    size: int
    classes: int = 1
    stage: int | None = None
    padding: PaddingRule

    def ops(self) -> BlockOps:
        """Lower the part, alone."""
        entry = Stem(out_channels=self.in_channels, kernel=1, stride=1)
        stem, in_channels = (self.part, self.in_channels) if isinstance(self.part, Stem) else (entry, 1)
        alone = Architecture(
            resolution=self.size,
            in_channels=in_channels,
            stem=stem,
            stages=(Stage(blocks=(self.part,)),) if isinstance(self.part, Block) else (),
            head=self.part if isinstance(self.part, Head) else Head(conv_channels=0),
            classes=self.classes,
            padding=self.padding,
        )
        block = {Stem: "stem", Block: "stages.0.0", Head: "head"}[type(self.part)]
        return tuple((op, sources) for op, sources in lower(alone).with_inputs() if op.block == block)


def sizes(space: CodedSpace, resolution: int) -> tuple[int, ...]:
    """Height and width coming into each stage, and into the head, at one resolution.

    Both rules of padding let a stride of 2 halve and round up, whatever the (odd) kernel.
    """
    size = -(-resolution // space.definition.stem.stride)
    found = [size]
    for stage in space.definition.stages:
        size = -(-size // stage.stride)
        found.append(size)
    return tuple(found)


def distinct_parts(space: CodedSpace) -> Iterator[PartContext]:
    """Yield every stem, block and head that a network of the space can have, each once in every context."""
    definition, padding = space.definition, space.definition.padding
    found: dict[PartContext, None] = {}
    for resolution, width in product(definition.resolution, definition.width):
        stem = stem_of(definition, width)
        found[PartContext(part=stem, in_channels=definition.in_channels, size=resolution, padding=padding)] = None
    for resolution in definition.resolution:
        extents = sizes(space, resolution)
        for stage, index in space.grid:
            size = extents[stage + 1] if index else extents[stage]
            if space.definition.stages[stage].like(index) != index:
                continue
            for channels, block in space.blocks_at(stage, index):
                found[PartContext(part=block, in_channels=channels, size=size, padding=padding)] = None
        for width, _, out in space.stages[-1].contexts:
            head = head_of(definition, width)
            part = PartContext(
                part=head, in_channels=out, size=extents[-1], classes=definition.classes, padding=padding
            )
            found[part] = None
    yield from found


def distinct_blocks(space: CodedSpace) -> Iterator[BlockOps]:
    """Yield the operations of every part that a network of the space can have (stem, blocks, head), each once."""
    for context in distinct_parts(space):
        yield context.ops()
