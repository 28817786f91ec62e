"""The rules that turn choices into channels and blocks: the only place where a space's ratios become numbers."""

from __future__ import annotations

from typing import NamedTuple

from edgenas.arch.architecture import Block, Head, SqueezeExcite, Stem, make_divisible
from edgenas.arch.block_kinds import BLOCK_KINDS
from edgenas.space.definition import Choices, Definition, Scaling, StageChoices
from edgenas.space.kinds import SPACE_KINDS


class BlockKey(NamedTuple):
    """What a block will be, cheap to make and to compare; equal keys are equal blocks."""

    kind: str
    start_kernel: int
    kernel: int
    expanded: int
    out_channels: int
    stride: int
    activation: str
    expand: bool
    squeezed: int
    skip: bool


def scaled_channels(channels: int, width: float, *, divisor: int, scale: Scaling = "always") -> int:
    """Apply a width multiplier to channels as written; 0 stays 0."""
    if channels == 0 or width == 1 or scale == "never" or (scale == "wider" and width < 1):
        return channels
    return make_divisible(channels * width, divisor)


def block_key(
    definition: Definition,
    stage: StageChoices,
    values: Choices,
    *,
    first: bool,
    in_channels: int,
    out_channels: int,
    width: float,
) -> BlockKey | None:
    """Return what one block will be, or None for a skip.

    Args:
        definition: The space.
        stage: The block's stage.
        values: One value for each of `FIELDS`.
        first: Whether it is the first block of its stage, which carries the stride.
        in_channels: Channels coming in.
        out_channels: Channels of the stage.
        width: Width multiplier, for expanded channels given as such.
    """
    kind, start, kernel, expansion, ratio, activation = values
    choice = SPACE_KINDS[str(kind)]
    if not choice.block:
        return None
    row, stride = BLOCK_KINDS[choice.block], stage.stride if first else 1
    adds = row.residual if stage.residual is None else stage.residual
    skip = adds and stride == 1 and in_channels == out_channels
    if not row.projected:
        whole = int(kernel), out_channels, out_channels
        return BlockKey(choice.block, 0, *whole, stride, str(activation), expand=True, squeezed=0, skip=skip)
    expanded = (
        scaled_channels(int(expansion), width, divisor=definition.divisor)
        if stage.absolute
        else make_divisible(in_channels * float(expansion), definition.divisor)
    )
    return BlockKey(
        kind=choice.block,
        start_kernel=int(start) if choice.universal else 0,
        kernel=int(kernel),
        expanded=expanded,
        out_channels=out_channels,
        stride=stride,
        activation=str(activation),
        expand=not row.depthwise or stage.keep_expand or kernel == 0 or expanded != in_channels,
        squeezed=_squeezed(definition, float(ratio), in_channels, expanded),
        skip=skip,
    )


def _squeezed(definition: Definition, ratio: float, in_channels: int, expanded: int) -> int:
    if ratio == 0:
        return 0
    if definition.squeeze_rule.squeeze == "input":
        return max(1, int(in_channels * ratio))
    return make_divisible(expanded * ratio, definition.divisor)


def block_of(definition: Definition, key: BlockKey) -> Block:
    """Build the block that a key describes."""
    rule, squeeze = definition.squeeze_rule, None
    if key.squeezed:
        squeeze = SqueezeExcite(channels=key.squeezed, activation=rule.activation, gate=rule.gate)
    return Block(
        kind=key.kind,
        kernel=key.kernel,
        expanded=key.expanded,
        out_channels=key.out_channels,
        stride=key.stride,
        activation=key.activation,
        expand=key.expand,
        start_kernel=key.start_kernel,
        se=squeeze,
        skip=key.skip,
    )


def key_of(definition: Definition, block: Block) -> BlockKey | None:
    """Return the key of a block, or None where its squeeze-and-excitation is not of the space's kind."""
    rule, se = definition.squeeze_rule, block.se
    if se is not None and (se.activation != rule.activation or se.gate != rule.gate):
        return None
    return BlockKey(
        kind=block.kind,
        start_kernel=block.start_kernel,
        kernel=block.kernel,
        expanded=block.expanded,
        out_channels=block.out_channels,
        stride=block.stride,
        activation=block.activation,
        expand=block.expand,
        squeezed=se.channels if se is not None else 0,
        skip=block.skip,
    )


def stem_of(definition: Definition, width: float) -> Stem:
    """Build the stem at one width."""
    stem = definition.stem
    channels = scaled_channels(stem.channels, width, divisor=definition.divisor, scale=stem.scale)
    return Stem(out_channels=channels, kernel=stem.kernel, stride=stem.stride, activation=stem.activation)


def head_of(definition: Definition, width: float) -> Head:
    """Build the head at one width."""
    head = definition.head
    conv, hidden = (
        scaled_channels(channels, width, divisor=definition.divisor, scale=head.scale)
        for channels in (head.conv, head.hidden)
    )
    return Head(conv_channels=conv, hidden_channels=hidden, hidden_norm=head.hidden_norm, activation=head.activation)
