"""The published networks as values. Layer tables from the papers named at each; counts are tested to the unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

from edgenas.arch.architecture import (
    Activation,
    Architecture,
    Block,
    Head,
    SqueezeExcite,
    Stage,
    Stem,
    make_divisible,
)
from edgenas.errors import ArchitectureError, explain, nearest

IMAGENET_CLASSES = 1000
_TORCH_EPS = 1e-5


def _residual(blocks: Sequence[Block], channels: int) -> tuple[Stage, ...]:
    """Set `skip` wherever stride and channels allow it and group blocks into stages by resolution or width."""
    from dataclasses import replace

    stages: list[list[Block]] = []
    for block in blocks:
        fits = block.stride == 1 and block.out_channels == channels and block.kind != "conv"
        if not stages or block.stride == 2 or block.out_channels != channels:
            stages.append([])
        stages[-1].append(replace(block, skip=fits))
        channels = block.out_channels
    return tuple(Stage(blocks=tuple(stage)) for stage in stages)


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


_V3_LARGE = (
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
_V3_SMALL = (
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


def _mobilenet_v3(rows: Sequence[tuple[int, int, int, int, str, int]], conv: int, hidden: int) -> Architecture:
    """MobileNetV3 (Howard 2019, tables 1 and 2)."""
    return Architecture(
        resolution=224,
        stem=Stem(out_channels=16, activation="hard_swish"),
        stages=_residual(_v3_blocks(rows, 16), 16),
        head=Head(conv_channels=conv, hidden_channels=hidden, activation="hard_swish"),
        classes=IMAGENET_CLASSES,
    )


def inverted_stage(
    *,
    channels: int,
    out_channels: int,
    layers: int,
    stride: int,
    expansion: int,
    kernel: int,
    activation: Activation,
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


def _mobilenet_v2() -> Architecture:
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
        stages=_residual(blocks, 32),
        head=Head(conv_channels=1280, activation="relu6"),
        classes=IMAGENET_CLASSES,
        norm_eps=_TORCH_EPS,
    )


# expansion, kernel, stride, out, layers
_B0_ROWS = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
# width, depth, resolution (the published family is a table, not exact powers)
EFFICIENTNET_SCALES = {
    0: (1.0, 1.0, 224),
    1: (1.0, 1.1, 240),
    2: (1.1, 1.2, 260),
    3: (1.2, 1.4, 300),
    4: (1.4, 1.8, 380),
    5: (1.6, 2.2, 456),
    6: (1.8, 2.6, 528),
    7: (2.0, 3.1, 600),
}


def _efficientnet(variant: int) -> Architecture:
    """EfficientNet-B0..B7 (Tan & Le 2019, table 1 and the published width, depth, resolution of the family)."""
    width, depth, resolution = EFFICIENTNET_SCALES[variant]
    stem = make_divisible(32 * width)
    se = SqueezeExcite(channels=1, activation="silu", gate="sigmoid")
    blocks: list[Block] = []
    channels = stem
    for expansion, kernel, stride, out, layers in _B0_ROWS:
        blocks += inverted_stage(
            channels=channels,
            out_channels=make_divisible(out * width),
            layers=math.ceil(layers * depth),
            stride=stride,
            expansion=expansion,
            kernel=kernel,
            activation="silu",
            se=se,
            se_quarter=True,
        )
        channels = make_divisible(out * width)
    return Architecture(
        resolution=resolution,
        stem=Stem(out_channels=stem, activation="silu"),
        stages=_residual(blocks, stem),
        head=Head(conv_channels=make_divisible(1280 * width), activation="silu"),
        classes=IMAGENET_CLASSES,
    )


def _efficientnet_lite0() -> Architecture:
    """EfficientNet-Lite0: B0 without squeeze-excite, ReLU6."""
    blocks: list[Block] = []
    channels = 32
    for expansion, kernel, stride, out, layers in _B0_ROWS:
        blocks += inverted_stage(
            channels=channels,
            out_channels=out,
            layers=layers,
            stride=stride,
            expansion=expansion,
            kernel=kernel,
            activation="relu6",
        )
        channels = out
    return Architecture(
        resolution=224,
        stem=Stem(out_channels=32, activation="relu6"),
        stages=_residual(blocks, 32),
        head=Head(conv_channels=1280, activation="relu6"),
        classes=IMAGENET_CLASSES,
    )


def _mnasnet(
    rows: Sequence[tuple[int, int, int, int, int, bool]], *, stem: int, separable_skip: bool = False
) -> Architecture:
    """MnasNet (Tan 2019, figure 7). Rows: expansion, kernel, stride, out, layers, SE."""
    se = SqueezeExcite(channels=1, activation="relu", gate="sigmoid")
    blocks: list[Block] = []
    channels = stem
    for expansion, kernel, stride, out, layers, has_se in rows:
        blocks += inverted_stage(
            channels=channels,
            out_channels=out,
            layers=layers,
            stride=stride,
            expansion=expansion,
            kernel=kernel,
            activation="relu",
            se=se if has_se else None,
            se_quarter=True,
        )
        channels = out
    return Architecture(
        resolution=224,
        stem=Stem(out_channels=stem),
        stages=_residual(blocks, stem if separable_skip else -1),
        head=Head(conv_channels=1280),
        classes=IMAGENET_CLASSES,
        norm_eps=_TORCH_EPS,
    )


_MNASNET_A1 = (
    (1, 3, 1, 16, 1, False),
    (6, 3, 2, 24, 2, False),
    (3, 5, 2, 40, 3, True),
    (6, 3, 2, 80, 4, False),
    (6, 3, 1, 112, 2, True),
    (6, 5, 2, 160, 3, True),
    (6, 3, 1, 320, 1, False),
)
_MNASNET_B1 = (
    (1, 3, 1, 16, 1, False),
    (3, 3, 2, 24, 3, False),
    (3, 5, 2, 40, 3, False),
    (6, 5, 2, 80, 3, False),
    (6, 3, 1, 96, 2, False),
    (6, 5, 2, 192, 4, False),
    (6, 3, 1, 320, 1, False),
)
_MNASNET_SMALL = (
    (1, 3, 1, 8, 1, False),
    (3, 3, 2, 16, 1, False),
    (6, 3, 2, 16, 2, False),
    (6, 5, 2, 32, 4, True),
    (6, 3, 1, 32, 3, True),
    (6, 5, 2, 88, 3, True),
    (6, 3, 1, 144, 1, False),
)

# out channels, stride, then (kernel, expansion) of each layer
_LAYERWISE = tuple[int, int, tuple[tuple[int, int], ...]]


def _layerwise(
    rows: Sequence[_LAYERWISE],
    *,
    stem: int,
    head: int,
    separable: int = 0,
    activation: Activation = "relu",
    keep_expand: bool = False,
) -> Architecture:
    """Networks whose layers each chose kernel and expansion (ProxylessNAS, FBNet, Single-Path NAS)."""
    blocks: list[Block] = []
    channels = stem
    if separable:
        blocks += inverted_stage(
            channels=stem, out_channels=separable, layers=1, stride=1, expansion=1, kernel=3, activation=activation
        )
        channels = separable
    for out, stride, layers in rows:
        for index, (kernel, expansion) in enumerate(layers):
            blocks += inverted_stage(
                channels=channels,
                out_channels=out,
                layers=1,
                stride=stride if index == 0 else 1,
                expansion=expansion,
                kernel=kernel,
                activation=activation,
                keep_expand=keep_expand,
            )
            channels = out
    return Architecture(
        resolution=224,
        stem=Stem(out_channels=stem, activation=activation),
        stages=_residual(blocks, stem),
        head=Head(conv_channels=head, activation=activation),
        classes=IMAGENET_CLASSES,
        norm_eps=_TORCH_EPS,
    )


_FBNET_C = (
    (16, 1, ((3, 1),)),
    (24, 2, ((3, 6), (3, 1), (3, 1))),
    (32, 2, ((5, 6), (5, 3), (5, 6), (3, 6))),
    (64, 2, ((5, 6), (5, 3), (5, 6), (5, 6))),
    (112, 1, ((5, 6), (5, 6), (5, 6), (5, 3))),
    (184, 2, ((5, 6),) * 4),
    (352, 1, ((3, 6),)),
)
_PROXYLESS_MOBILE = (
    (32, 2, ((5, 3), (3, 3))),
    (40, 2, ((7, 3), (3, 3), (5, 3), (5, 3))),
    (80, 2, ((7, 6), (5, 3), (5, 3), (5, 3))),
    (96, 1, ((5, 6), (5, 3), (5, 3), (5, 3))),
    (192, 2, ((7, 6), (7, 6), (7, 3), (7, 3))),
    (320, 1, ((7, 6),)),
)
_SINGLE_PATH = (
    (24, 2, ((3, 3),) * 3),
    (40, 2, ((5, 6), (3, 3), (3, 3), (3, 3))),
    (80, 2, ((5, 6), (3, 3), (3, 3), (3, 3))),
    (96, 1, ((5, 6), (5, 3), (5, 3), (5, 3))),
    (192, 2, ((5, 6),) * 4),
    (320, 1, ((3, 6),)),
)

# start kernel, middle kernel, expanded, out, stride
_UIB_SMALL = (
    (5, 5, 192, 96, 2),
    *((0, 3, 192, 96, 1),) * 4,
    (3, 0, 384, 96, 1),
    (3, 3, 576, 128, 2),
    (5, 5, 512, 128, 1),
    (0, 5, 512, 128, 1),
    (0, 5, 384, 128, 1),
    *((0, 3, 512, 128, 1),) * 2,
)
_UIB_MEDIUM = (
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


def _mobilenet_v4(
    leading: Sequence[Block], uibs: Sequence[tuple[int, int, int, int, int]], resolution: int
) -> Architecture:
    """MobileNetV4-conv (Qin 2024, tables 10 and 11)."""
    blocks = list(leading)
    for start, middle, expanded, out, stride in uibs:
        blocks.append(Block(start_kernel=start, kernel=middle, expanded=expanded, out_channels=out, stride=stride))
    return Architecture(
        resolution=resolution,
        stem=Stem(out_channels=32),
        stages=_residual(blocks, 32),
        head=Head(conv_channels=960, hidden_channels=1280, hidden_norm=True),
        classes=IMAGENET_CLASSES,
        norm_eps=_TORCH_EPS,
    )


def _conv(kernel: int, stride: int, channels: int) -> Block:
    return Block(kind="conv", kernel=kernel, stride=stride, expanded=channels, out_channels=channels)


_V4_SMALL_LEADING = (_conv(3, 2, 32), _conv(1, 1, 32), _conv(3, 2, 96), _conv(1, 1, 64))
_V4_MEDIUM_LEADING = (Block(kind="fused", kernel=3, stride=2, expanded=128, out_channels=48),)

_ZOO: dict[str, Callable[[], Architecture]] = {
    "mobilenet_v2": _mobilenet_v2,
    "mobilenet_v3_large": lambda: _mobilenet_v3(_V3_LARGE, 960, 1280),
    "mobilenet_v3_small": lambda: _mobilenet_v3(_V3_SMALL, 576, 1024),
    "mnasnet_a1": lambda: _mnasnet(_MNASNET_A1, stem=32),
    "mnasnet_b1": lambda: _mnasnet(_MNASNET_B1, stem=32),
    "mnasnet_small": lambda: _mnasnet(_MNASNET_SMALL, stem=8, separable_skip=True),
    "efficientnet_b0": lambda: _efficientnet(0),
    "efficientnet_b1": lambda: _efficientnet(1),
    "efficientnet_b2": lambda: _efficientnet(2),
    "efficientnet_b3": lambda: _efficientnet(3),
    "efficientnet_b4": lambda: _efficientnet(4),
    "efficientnet_b5": lambda: _efficientnet(5),
    "efficientnet_b6": lambda: _efficientnet(6),
    "efficientnet_b7": lambda: _efficientnet(7),
    "efficientnet_lite0": _efficientnet_lite0,
    "fbnet_c": lambda: _layerwise(_FBNET_C, stem=16, head=1984, keep_expand=True),
    "single_path_nas": lambda: _layerwise(_SINGLE_PATH, stem=32, head=1280, separable=16),
    "proxyless_mobile": lambda: _layerwise(_PROXYLESS_MOBILE, stem=32, head=1280, separable=16, activation="relu6"),
    "mobilenet_v4_conv_small": lambda: _mobilenet_v4(_V4_SMALL_LEADING, _UIB_SMALL, 224),
    "mobilenet_v4_conv_medium": lambda: _mobilenet_v4(_V4_MEDIUM_LEADING, _UIB_MEDIUM, 256),
}

NAMES: tuple[str, ...] = tuple(_ZOO)


@cache
def published(name: str) -> Architecture:
    """Return a published network at its published resolution, for 1,000 classes.

    Args:
        name: One of `NAMES`.

    Raises:
        ArchitectureError: The name is unknown; the nearest is named.
    """
    if name not in _ZOO:
        raise ArchitectureError(
            explain(f"unknown network{nearest(name, NAMES)}", got=repr(name), allowed=", ".join(NAMES))
        )
    return _ZOO[name]()
