"""From rows of the papers' tables to stages of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgenas.arch.activations import ActivationName
from edgenas.arch.architecture import Block, SqueezeExcite, Stage
from edgenas.arch.block_kinds import BLOCK_KINDS

IMAGENET_CLASSES = 1000

TORCH_EPS = 1e-5


def residual(blocks: Sequence[Block], channels: int) -> tuple[Stage, ...]:
    """Set `skip` wherever stride and channels allow it and group blocks into stages by resolution or width."""
    stages: list[list[Block]] = []
    for block in blocks:
        fits = block.stride == 1 and block.out_channels == channels and BLOCK_KINDS[block.kind].residual
        if not stages or block.stride == 2 or block.out_channels != channels:
            stages.append([])
        stages[-1].append(replace(block, skip=fits))
        channels = block.out_channels
    return tuple(Stage(blocks=tuple(stage)) for stage in stages)


def inverted_stage(
    *,
    channels: int,
    out_channels: int,
    layers: int,
    stride: int,
    expansion: int,
    kernel: int,
    activation: ActivationName,
    se: SqueezeExcite | None = None,
    se_quarter: bool = False,
    keep_expand: bool = False,
) -> list[Block]:
    """Repeat one kind of inverted bottleneck, as the tables of MnasNet and EfficientNet do.

    Args:
        channels: Channels coming into the first block.
        out_channels: Channels of every block's result.
        layers: Number of blocks; the first carries the stride.
        stride: 1 or 2.
        expansion: Factor from a block's own input channels.
        kernel: Depthwise kernel.
        activation: Non-linearity.
        se: Template of the squeeze-and-excitation (its channels are replaced), or None.
        se_quarter: With `se`: squeeze to a quarter of the block's input channels.
        keep_expand: Keep the 1x1 expansion where the factor is 1 (FBNet).
    """
    blocks = []
    for layer in range(layers):
        expanded = channels * expansion
        squeeze = se
        if se is not None and se_quarter:
            squeeze = SqueezeExcite(channels=max(1, channels // 4), activation=se.activation, gate=se.gate)
        blocks.append(
            Block(
                kernel=kernel,
                expanded=expanded,
                out_channels=out_channels,
                stride=stride if layer == 0 else 1,
                activation=activation,
                expand=expansion != 1 or keep_expand,
                se=squeeze,
            )
        )
        channels = out_channels
    return blocks
