"""Which weights the members of a space share: their names and their largest shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from edgenas.arch.architecture import Architecture, Block, Head, Stage, Stem
from edgenas.arch.graph import Graph, Op
from edgenas.arch.lower import lower
from edgenas.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """One weighted operation of a member, and how much of the shared weights it takes.

    Attributes:
        name: Of the shared weights: `stages.2.0.mbconv.expand`; stem and head keep the operation's own name.
        out_channels, in_channels: First channels that it takes; `in_channels` is per group.
        kernel: Centre that it takes; 0 for a fully connected layer.
        norm: Whether batch norm follows.
        depthwise: Whether it is a depthwise convolution.
    """

    name: str
    out_channels: int
    in_channels: int
    kernel: int
    norm: bool
    depthwise: bool

    def fits_into(self, other: Sharing) -> bool:
        """Whether weights of the other's shape hold this one's."""
        return (
            self.out_channels <= other.out_channels
            and self.in_channels <= other.in_channels
            and self.kernel <= other.kernel
        )


def block_form(block: Block) -> str:
    """Name the form of a block. Blocks of different forms at the same place share no weights.

    Kernel, expansion, width, squeeze-excite and activation do not change the form: their weights are nested.
    """
    parts: list[str] = [block.kind]
    if not block.expand:
        parts.append("flat")
    if block.start_kernel:
        parts.append("start")
    if not block.kernel:
        parts.append("pointwise")
    return "-".join(parts)


def sharings(graph: Graph, places: Mapping[str, str]) -> Iterator[Sharing | None]:
    """Yield for every operation how it shares weights; None where it has no weights.

    Args:
        graph: A member's graph.
        places: Name of the shared weights of each block, see `place_of`.
    """
    for op, sources in graph.with_inputs():
        if not op.weighted:
            yield None
            continue
        place = places.get(op.block)
        yield Sharing(
            name=op.name if place is None else place + op.name.removeprefix(op.block),
            out_channels=op.shape.channels,
            in_channels=_fan_in(op, sources[0]),
            kernel=op.kernel if op.kind == "conv" else 0,
            norm=op.norm,
            depthwise=op.depthwise,
        )


def shared_shapes(space: SearchSpace) -> dict[str, Sharing]:
    """Find the largest shape of every shared weight of a space, exactly, from all possible blocks of all places.

    Args:
        space: The space.

    Returns:
        The largest sharing by name; stem and head first, then place by place.
    """
    found: dict[str, Sharing] = {}
    largest = space.decode(space.largest())
    ends = (
        sharing
        for op, sharing in zip(lower(largest).ops, sharings(lower(largest), {}), strict=True)
        if not op.block.startswith("stages.")
    )
    _widen(found, ends)
    for stage, index in space.grid:
        for channels, block in space.blocks_at(stage, index):
            _widen(found, _block_sharings(channels, block, place_of(stage, index, block)))
    return found


def _block_sharings(channels: int, block: Block, place: str) -> Iterator[Sharing | None]:
    for sharing in sharings(_lowered(channels, block), {"stages.0.0": place}):
        if sharing is not None and sharing.name.startswith(f"{place}."):
            yield sharing


def block_alone(channels: int, block: Block, stage: int, index: int) -> tuple[Graph, str]:
    """Lower a block alone, and return its graph with the name of its shared weights.

    Args:
        channels: Coming in.
        block: Its operations are those of `stages.0.0`.
        stage, index: Its place in the space's full grid.
    """
    return _lowered(channels, block), place_of(stage, index, block)


def _lowered(channels: int, block: Block) -> Graph:
    """Lower a block behind a stem of as many channels as it takes."""
    alone = Architecture(
        resolution=8,
        stem=Stem(out_channels=channels),
        stages=(Stage(blocks=(block,)),),
        head=Head(conv_channels=0),
        classes=1,
    )
    return lower(alone)


def _widen(found: dict[str, Sharing], more: Iterable[Sharing | None]) -> None:
    for sharing in more:
        if sharing is None:
            continue
        known = found.get(sharing.name, sharing)
        found[sharing.name] = replace(
            sharing,
            out_channels=max(known.out_channels, sharing.out_channels),
            in_channels=max(known.in_channels, sharing.in_channels),
            kernel=max(known.kernel, sharing.kernel),
        )


def place_of(stage: int, index: int, block: Block) -> str:
    """Name the shared weights of a block: `stages.1.2.mbconv`.

    Args:
        stage, index: Its place in the space's full grid.
        block: Its form counts.
    """
    return f"stages.{stage}.{index}.{block_form(block)}"


def _fan_in(op: Op, source: Op) -> int:
    return source.shape.elements if op.kind == "fc" else source.shape.channels // op.groups
