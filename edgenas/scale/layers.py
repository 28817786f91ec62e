"""The layers of a network that can be narrowed, and the network with one of them narrowed.

Source: NetAdapt (Yang 2018) as MobileNetV3 used it (Howard 2019, section 5.2): an expansion layer of one block, or the
bottleneck of all blocks that share it through their skips. Here the two layers of the head can be narrowed too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from edgenas.arch.architecture import Architecture, Block, Stage
from edgenas.arch.block_kinds import BLOCK_KINDS
from edgenas.arch.block_names import block_names
from edgenas.errors import ArchitectureError, explain

LayerKind = Literal["expansion", "bottleneck", "head_conv", "head_hidden"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Channels that are narrowed together.

    Attributes:
        kind: What it is.
        name: Where it begins, such as `stages.2.0.expand` or `stages.2`.
        channels: How many there are.
        producers: Operations whose results have these channels, and which must keep the same ones.
        blocks: Numbers of the blocks that the layer belongs to; -1 stands for the stem.
    """

    kind: LayerKind
    name: str
    channels: int
    producers: tuple[str, ...]
    blocks: tuple[int, ...] = ()


def layers(architecture: Architecture) -> tuple[Layer, ...]:
    """List every layer of a network that can be narrowed.

    Channels that a block takes over from its input (a separable convolution's) belong to the bottleneck before it. The
    stem's channels count as a bottleneck, with the blocks that add to them.

    Args:
        architecture: The network.
    """
    return (*_bottlenecks(architecture), *_expansions(architecture), *_head(architecture))


def _bottlenecks(architecture: Architecture) -> Iterator[Layer]:
    names = block_names(architecture)
    groups: list[list[int]] = [[-1]]
    widths = [architecture.stem.out_channels]
    for number, block in enumerate(architecture.blocks()):
        if block.skip:
            groups[-1].append(number)
        else:
            groups.append([number])
            widths.append(block.out_channels)
    parts = [BLOCK_KINDS[block.kind].result for block in architecture.blocks()]
    for members, channels in zip(groups, widths, strict=True):
        producers = tuple(
            "stem.conv" if number < 0 else f"{names[number]}.{parts[number]}"
            for number in members
        )
        name = "stem" if members[0] < 0 else names[members[0]]
        yield Layer(
            kind="bottleneck", name=name, channels=channels, producers=producers, blocks=tuple(members)
        )


def _expansions(architecture: Architecture) -> Iterator[Layer]:
    for number, (name, block) in enumerate(zip(block_names(architecture), architecture.blocks(), strict=True)):
        kind = BLOCK_KINDS[block.kind]
        if not kind.projected or not block.expand:
            continue
        producer = f"{name}.{kind.widening}"
        yield Layer(
            kind="expansion", name=producer, channels=block.expanded, producers=(producer,), blocks=(number,)
        )


def _head(architecture: Architecture) -> Iterator[Layer]:
    head = architecture.head
    if head.conv_channels:
        yield Layer(kind="head_conv", name="head.conv", channels=head.conv_channels, producers=("head.conv",))
    if head.hidden_channels:
        yield Layer(kind="head_hidden", name="head.hidden", channels=head.hidden_channels, producers=("head.hidden",))


def narrowed(architecture: Architecture, layer: Layer, channels: int) -> Architecture:
    """Return the network with one layer narrowed; everything else keeps its channels.

    Args:
        architecture: The network that the layer was listed for.
        layer: The layer.
        channels: Its new number of channels, 1 to what it has.

    Raises:
        ArchitectureError: The channels are not fewer, or the layer is not the network's.
    """
    if not 1 <= channels <= layer.channels or layer not in layers(architecture):
        raise ArchitectureError(
            explain(f"{layer.name} of this network cannot be narrowed", got=channels, allowed=f"1 to {layer.channels}")
        )
    if layer.kind == "head_conv":
        return replace(architecture, head=replace(architecture.head, conv_channels=channels))
    if layer.kind == "head_hidden":
        return replace(architecture, head=replace(architecture.head, hidden_channels=channels))
    if layer.kind == "expansion":
        return _with_blocks(
            architecture,
            [
                replace(block, expanded=channels) if number in layer.blocks else block
                for number, block in enumerate(architecture.blocks())
            ],
        )
    return _narrow_bottleneck(architecture, layer, channels)


def _narrow_bottleneck(architecture: Architecture, layer: Layer, channels: int) -> Architecture:
    stem = architecture.stem
    if -1 in layer.blocks:
        stem = replace(stem, out_channels=channels)
    coming = stem.out_channels
    blocks: list[Block] = []
    for number, old in enumerate(architecture.blocks()):
        out = channels if number in layer.blocks else old.out_channels
        block = replace(
            old,
            out_channels=out,
            expanded=_expanded(old, out=out, coming=coming),
        )
        blocks.append(block)
        coming = out
    return _with_blocks(replace(architecture, stem=stem, stages=()), blocks, like=architecture)


def _expanded(block: Block, *, out: int, coming: int) -> int:
    """Return the channels inside a block whose own expansion stays as it is."""
    if not BLOCK_KINDS[block.kind].projected:
        return out
    return block.expanded if block.expand else coming


def _with_blocks(
    architecture: Architecture, blocks: list[Block], *, like: Architecture | None = None
) -> Architecture:
    """Put blocks in place of a network's own, grouped into stages as they were."""
    rest = iter(blocks)
    stages = tuple(
        Stage(blocks=tuple(next(rest) for _ in stage.blocks)) for stage in (like or architecture).stages
    )
    return replace(architecture, stages=stages)
