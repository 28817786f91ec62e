"""MobileNetV2, V3 and V4."""

from __future__ import annotations

from collections.abc import Sequence

from edgenas.arch.architecture import (
    Architecture,
    Block,
    Head,
    SqueezeExcite,
    Stem,
    make_divisible,
)
from edgenas.arch.zoo.stages import IMAGENET_CLASSES, TORCH_EPS, inverted_stage, residual


def mobilenet_v2() -> Architecture:
    """MobileNetV2 1.0 (Sandler 2018, table 2)."""
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    blocks: list[Block] = []
    channels = 32
    for expansion, out, layers, stride in rows:
        blocks += inverted_stage(
            channels=channels,
            out_channels=out,
            layers=layers,
            stride=stride,
            expansion=expansion,
            kernel=3,
            activation="relu6",
        )
        channels = out
    return Architecture(
        resolution=224,
        stem=Stem(out_channels=32, activation="relu6"),
        stages=residual(blocks, 32),
        head=Head(conv_channels=1280, activation="relu6"),
        classes=IMAGENET_CLASSES,
        norm_eps=TORCH_EPS,
    )


def _v3_blocks(rows: Sequence[tuple[int, int, int, int, str, int]], channels: int) -> list[Block]:
    """Rows of MobileNetV3's tables: kernel, expanded, out, SE, non-linearity, stride."""
    blocks = []
    for kernel, expanded, out, se, activation, stride in rows:
        blocks.append(
            Block(
                kernel=kernel,
                expanded=expanded,
                out_channels=out,
                stride=stride,
                activation="hard_swish" if activation == "HS" else "relu",
                expand=expanded != channels,
                se=SqueezeExcite(channels=make_divisible(expanded / 4)) if se else None,
            )
        )
        channels = out
    return blocks


V3_LARGE = (
    (3, 16, 16, 0, "RE", 1),
    (3, 64, 24, 0, "RE", 2),
    (3, 72, 24, 0, "RE", 1),
    (5, 72, 40, 1, "RE", 2),
    (5, 120, 40, 1, "RE", 1),
    (5, 120, 40, 1, "RE", 1),
    (3, 240, 80, 0, "HS", 2),
    (3, 200, 80, 0, "HS", 1),
    (3, 184, 80, 0, "HS", 1),
    (3, 184, 80, 0, "HS", 1),
    (3, 480, 112, 1, "HS", 1),
    (3, 672, 112, 1, "HS", 1),
    (5, 672, 160, 1, "HS", 2),
    (5, 960, 160, 1, "HS", 1),
    (5, 960, 160, 1, "HS", 1),
)

V3_SMALL = (
    (3, 16, 16, 1, "RE", 2),
    (3, 72, 24, 0, "RE", 2),
    (3, 88, 24, 0, "RE", 1),
    (5, 96, 40, 1, "HS", 2),
    (5, 240, 40, 1, "HS", 1),
    (5, 240, 40, 1, "HS", 1),
    (5, 120, 48, 1, "HS", 1),
    (5, 144, 48, 1, "HS", 1),
    (5, 288, 96, 1, "HS", 2),
    (5, 576, 96, 1, "HS", 1),
    (5, 576, 96, 1, "HS", 1),
)


def mobilenet_v3(rows: Sequence[tuple[int, int, int, int, str, int]], conv: int, hidden: int) -> Architecture:
    """MobileNetV3 (Howard 2019, tables 1 and 2)."""
    return Architecture(
        resolution=224,
        stem=Stem(out_channels=16, activation="hard_swish"),
        stages=residual(_v3_blocks(rows, 16), 16),
        head=Head(conv_channels=conv, hidden_channels=hidden, activation="hard_swish"),
        classes=IMAGENET_CLASSES,
    )


# start kernel, middle kernel, expanded, out, stride
UIB_SMALL = (
    (5, 5, 192, 96, 2),
    *((0, 3, 192, 96, 1),) * 4,
    (3, 0, 384, 96, 1),
    (3, 3, 576, 128, 2),
    (5, 5, 512, 128, 1),
    (0, 5, 512, 128, 1),
    (0, 5, 384, 128, 1),
    *((0, 3, 512, 128, 1),) * 2,
)

UIB_MEDIUM = (
    (3, 5, 192, 80, 2),
    (3, 3, 160, 80, 1),
    (3, 5, 480, 160, 2),
    *((3, 3, 640, 160, 1),) * 2,
    (3, 5, 640, 160, 1),
    (3, 3, 640, 160, 1),
    (3, 0, 640, 160, 1),
    (0, 0, 320, 160, 1),
    (3, 0, 640, 160, 1),
    (5, 5, 960, 256, 2),
    (5, 5, 1024, 256, 1),
    *((3, 5, 1024, 256, 1),) * 2,
    (0, 0, 1024, 256, 1),
    (3, 0, 1024, 256, 1),
    (3, 5, 512, 256, 1),
    (5, 5, 1024, 256, 1),
    *((0, 0, 1024, 256, 1),) * 2,
    (5, 0, 512, 256, 1),
)


def _conv(kernel: int, stride: int, channels: int) -> Block:
    return Block(kind="conv", kernel=kernel, stride=stride, expanded=channels, out_channels=channels)


V4_SMALL_LEADING = (_conv(3, 2, 32), _conv(1, 1, 32), _conv(3, 2, 96), _conv(1, 1, 64))

V4_MEDIUM_LEADING = (Block(kind="fused", kernel=3, stride=2, expanded=128, out_channels=48),)


def mobilenet_v4(
    leading: Sequence[Block], uibs: Sequence[tuple[int, int, int, int, int]], resolution: int
) -> Architecture:
    """MobileNetV4-conv (Qin 2024, tables 10 and 11)."""
    blocks = list(leading)
    for start, middle, expanded, out, stride in uibs:
        blocks.append(Block(start_kernel=start, kernel=middle, expanded=expanded, out_channels=out, stride=stride))
    return Architecture(
        resolution=resolution,
        stem=Stem(out_channels=32),
        stages=residual(blocks, 32),
        head=Head(conv_channels=960, hidden_channels=1280, hidden_norm=True),
        classes=IMAGENET_CLASSES,
        norm_eps=TORCH_EPS,
    )
