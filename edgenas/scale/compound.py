"""Compound scaling (Tan & Le 2019): depth, width and resolution of a network raised together.

    depth = alpha^phi, width = beta^phi, resolution = gamma^phi        (Tan & Le 2019, eq. 3)

Rounding is as published for EfficientNet: channels by make_divisible, layers up. The paper scales one family only. So
two rules are inferred from the network: the multiple of its channels, and the rule of its squeeze-and-excitation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgenas.arch.architecture import Architecture, Block, Stage, make_divisible
from edgenas.arch.block_kinds import BLOCK_KINDS
from edgenas.errors import ArchitectureError, BudgetError, explain
from edgenas.scale.memory import require_memory
from edgenas.scale.squeeze import InferredSqueeze, inferred_squeeze

MOST_BLOCKS = 2000
MOST_RESOLUTION = 8192
_ROUNDING_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """How much depth, width and resolution grow for each unit of phi.

    Attributes:
        alpha, beta, gamma: Of depth, width and resolution, >= 1.
    """

    alpha: float
    beta: float
    gamma: float

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            value = getattr(self, name)
            if not (isinstance(value, (int, float)) and 1 <= value <= 4):
                raise ArchitectureError(explain(f"compound scaling: {name}", got=repr(value), allowed="1 to 4"))

    @property
    def macs_factor(self) -> float:
        """Growth of MACs for one unit of phi before rounding: alpha * beta^2 * gamma^2."""
        return self.alpha * self.beta**2 * self.gamma**2


EFFICIENTNET = Coefficients(alpha=1.2, beta=1.1, gamma=1.15)
"""Found on EfficientNet-B0 by a grid search (Tan & Le 2019, section 4)."""


def channel_divisor(architecture: Architecture) -> int:
    """The multiple that channels are rounded to: 8, or less where the network's own channels are multiples of less."""
    channels = (architecture.stem.out_channels, *(block.out_channels for block in architecture.blocks()))
    return math.gcd(8, *channels)


def rounded_resolution(pixels: float) -> int:
    """Round a resolution to the nearest multiple of 8 from 128 pixels on, of 4 from 64 on, of 2 below; at least 2.

    The published family is a table and follows no rounding rule (260 and 300 among 240 and 456); give such a
    resolution to `scaled` as it is.
    """
    step = 8 if pixels >= 128 else 4 if pixels >= 64 else 2
    return max(2, int(pixels / step + 0.5) * step)


def compound(
    architecture: Architecture,
    *,
    alpha: float,
    beta: float,
    gamma: float,
    phi: float,
    memory_limit_bytes: int | None = None,
) -> Architecture:
    """Scale a network by phi (Tan & Le 2019, eq. 3); a negative phi makes it smaller.

    Args:
        architecture: The network at phi = 0.
        alpha, beta, gamma: Growth of depth, width and resolution for each unit of phi, >= 1.
        phi: How far; need not be whole.
        memory_limit_bytes: Refuse a network whose weights and activations need more; None for no limit.

    Returns:
        The scaled network; at phi = 0 the network itself.

    Raises:
        ArchitectureError: A coefficient is below 1 or phi is no number.
        BudgetError: The network would need more memory than the limit, or have more blocks or pixels than
            `MOST_BLOCKS` and `MOST_RESOLUTION`; nothing was built.
    """
    coefficients = Coefficients(alpha=alpha, beta=beta, gamma=gamma)
    if not math.isfinite(phi) or abs(phi) > 100:
        raise ArchitectureError(explain("compound scaling: phi", got=phi, allowed="-100 to 100"))
    if phi == 0:
        return architecture
    return scaled(
        architecture,
        width=coefficients.beta**phi,
        depth=coefficients.alpha**phi,
        resolution=rounded_resolution(architecture.resolution * coefficients.gamma**phi),
        memory_limit_bytes=memory_limit_bytes,
    )


def scaled(
    architecture: Architecture,
    *,
    width: float = 1.0,
    depth: float = 1.0,
    resolution: int | None = None,
    memory_limit_bytes: int | None = None,
) -> Architecture:
    """Multiply widths and depths of a network, and set its resolution.

    Channels of stem, stages and head are multiplied by the width and rounded by make_divisible; expanded channels
    keep their ratio to the channels coming in. A stage gets ceil(blocks * depth) blocks: its last one is repeated, or
    its last ones are left out. A stage of plain convolutions counts as part of the stem and keeps its blocks. A block
    keeps its skip. If the network has skips wherever shapes allow, new possible skips are added. With the published
    width, depth and resolution, EfficientNet-B0 becomes B1 to B7 exactly.

    Args:
        architecture: The network.
        width: Factor of all channels, > 0.
        depth: Factor of the blocks of each stage, > 0.
        resolution: Height and width of the input, pixels; None to keep it.
        memory_limit_bytes: As in `compound`.

    Raises:
        ArchitectureError: A factor is not positive.
        BudgetError: As in `compound`.
    """
    pixels = architecture.resolution if resolution is None else resolution
    for name, value in (("width", width), ("depth", depth), ("resolution", pixels)):
        if not (math.isfinite(value) and value > 0):
            raise ArchitectureError(explain(f"scaling: {name} must be positive", got=value))
    _require_sane(architecture, width=width, depth=depth, resolution=pixels)
    rules = _Rules(
        width=width, depth=depth, divisor=channel_divisor(architecture), squeeze=inferred_squeeze(architecture),
        skips=_skips_wherever_it_can(architecture),
    )
    stem = replace(architecture.stem, out_channels=rules.channels(architecture.stem.out_channels))
    head = replace(
        architecture.head,
        conv_channels=rules.channels(architecture.head.conv_channels),
        hidden_channels=rules.channels(architecture.head.hidden_channels),
    )
    if memory_limit_bytes is not None:
        require_memory(architecture, width=width, depth=depth, resolution=pixels, limit_bytes=memory_limit_bytes)
    stages = tuple(_stages(architecture, rules, stem.out_channels))
    return replace(architecture, resolution=pixels, stem=stem, head=head, stages=stages)


def _require_sane(architecture: Architecture, *, width: float, depth: float, resolution: int) -> None:
    blocks = depth * sum(1 for _ in architecture.blocks())
    widest = width * max(block.expanded for block in architecture.blocks())
    if blocks > MOST_BLOCKS or resolution > MOST_RESOLUTION or widest > 1_000_000:
        raise BudgetError(
            explain(
                "the scaled network would be too large", got=f"{blocks:.0f} blocks, {resolution} pixels, "
                f"{widest:.0f} channels", allowed=f"{MOST_BLOCKS} blocks, {MOST_RESOLUTION} pixels, 1000000 channels",
                remedy="Choose a smaller phi.",
            )
        )


def _skips_wherever_it_can(architecture: Architecture) -> bool:
    channels = architecture.stem.out_channels
    for block in architecture.blocks():
        fits = block.stride == 1 and block.out_channels == channels
        if BLOCK_KINDS[block.kind].residual and fits and not block.skip:
            return False
        channels = block.out_channels
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """How one network is scaled.

    Attributes:
        width, depth: The factors.
        divisor: Channels are rounded to multiples of it.
        squeeze: Rule of its squeeze-and-excitation.
        skips: Whether blocks have skips wherever shapes allow.
    """

    width: float
    depth: float
    divisor: int
    squeeze: InferredSqueeze
    skips: bool

    def channels(self, channels: int) -> int:
        """Scale channels; 0 stays 0, and width 1 keeps them as they are."""
        if channels == 0 or self.width == 1:
            return channels
        return make_divisible(channels * self.width, self.divisor)

    def layers(self, layers: int) -> int:
        """Scale the number of blocks of a stage, rounded up."""
        return max(1, math.ceil(layers * self.depth - _ROUNDING_SLACK))

    def block(self, block: Block, *, before: int, in_channels: int) -> Block:
        """Scale a block that had `before` channels coming in and now has `in_channels`."""
        out = self.channels(block.out_channels)
        kind = BLOCK_KINDS[block.kind]
        fits = kind.residual and block.stride == 1 and out == in_channels
        if not kind.projected:
            expanded = out
        elif not block.expand or before == in_channels:
            expanded = block.expanded if before == in_channels else in_channels
        else:
            expanded = make_divisible(in_channels * block.expanded / before, self.divisor)
        se = self.squeeze.scaled(block, in_channels=in_channels, expanded=expanded) if block.se else None
        return replace(block, expanded=expanded, out_channels=out, se=se, skip=fits and (self.skips or block.skip))

    def repeated(self, block: Block, *, before: int, in_channels: int) -> Block:
        """Scale a block as one more of its stage: stride 1, and a skip where the shapes allow it."""
        one = self.block(replace(block, stride=1, skip=False), before=before, in_channels=in_channels)
        return replace(one, skip=BLOCK_KINDS[block.kind].residual)


def _stages(architecture: Architecture, rules: _Rules, channels: int) -> Iterator[Stage]:
    before = architecture.stem.out_channels
    for stage in architecture.stages:
        plain = not any(BLOCK_KINDS[block.kind].residual for block in stage.blocks)
        count = len(stage.blocks) if plain else rules.layers(len(stage.blocks))
        blocks: list[Block] = []
        for place in range(count):
            old = stage.blocks[min(place, len(stage.blocks) - 1)]
            if place < len(stage.blocks):
                blocks.append(rules.block(old, before=before, in_channels=channels))
                entered, before = before, old.out_channels
            else:
                # Its expansion ratio is relative to the channels coming into the block that it repeats.
                blocks.append(rules.repeated(old, before=entered, in_channels=channels))
            channels = blocks[-1].out_channels
        before = stage.blocks[-1].out_channels
        yield Stage(blocks=tuple(blocks))
