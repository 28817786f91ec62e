"""Networks that earlier searches found: MnasNet, FBNet-C, ProxylessNAS, Single-Path NAS."""

from __future__ import annotations

from collections.abc import Sequence

from edgenas.arch.activations import ActivationName
from edgenas.arch.architecture import (
    Architecture,
    Block,
    Head,
    SqueezeExcite,
    Stem,
)
from edgenas.arch.zoo.stages import IMAGENET_CLASSES, TORCH_EPS, inverted_stage, residual


def mnasnet(
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
        stages=residual(blocks, stem if separable_skip else -1),
        head=Head(conv_channels=1280),
        classes=IMAGENET_CLASSES,
        norm_eps=TORCH_EPS,
    )


MNASNET_A1 = (
    (1, 3, 1, 16, 1, False),
    (6, 3, 2, 24, 2, False),
    (3, 5, 2, 40, 3, True),
    (6, 3, 2, 80, 4, False),
    (6, 3, 1, 112, 2, True),
    (6, 5, 2, 160, 3, True),
    (6, 3, 1, 320, 1, False),
)

MNASNET_B1 = (
    (1, 3, 1, 16, 1, False),
    (3, 3, 2, 24, 3, False),
    (3, 5, 2, 40, 3, False),
    (6, 5, 2, 80, 3, False),
    (6, 3, 1, 96, 2, False),
    (6, 5, 2, 192, 4, False),
    (6, 3, 1, 320, 1, False),
)

MNASNET_SMALL = (
    (1, 3, 1, 8, 1, False),
    (3, 3, 2, 16, 1, False),
    (6, 3, 2, 16, 2, False),
    (6, 5, 2, 32, 4, True),
    (6, 3, 1, 32, 3, True),
    (6, 5, 2, 88, 3, True),
    (6, 3, 1, 144, 1, False),
)

# out channels, stride, then (kernel, expansion) of each layer
LayerRow = tuple[int, int, tuple[tuple[int, int], ...]]


def layerwise(
    rows: Sequence[LayerRow],
    *,
    stem: int,
    head: int,
    separable: int = 0,
    activation: ActivationName = "relu",
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
        stages=residual(blocks, stem),
        head=Head(conv_channels=head, activation=activation),
        classes=IMAGENET_CLASSES,
        norm_eps=TORCH_EPS,
    )


FBNET_C = (
    (16, 1, ((3, 1),)),
    (24, 2, ((3, 6), (3, 1), (3, 1))),
    (32, 2, ((5, 6), (5, 3), (5, 6), (3, 6))),
    (64, 2, ((5, 6), (5, 3), (5, 6), (5, 6))),
    (112, 1, ((5, 6), (5, 6), (5, 6), (5, 3))),
    (184, 2, ((5, 6),) * 4),
    (352, 1, ((3, 6),)),
)

PROXYLESS_MOBILE = (
    (32, 2, ((5, 3), (3, 3))),
    (40, 2, ((7, 3), (3, 3), (5, 3), (5, 3))),
    (80, 2, ((7, 6), (5, 3), (5, 3), (5, 3))),
    (96, 1, ((5, 6), (5, 3), (5, 3), (5, 3))),
    (192, 2, ((7, 6), (7, 6), (7, 3), (7, 3))),
    (320, 1, ((7, 6),)),
)

SINGLE_PATH = (
    (24, 2, ((3, 3),) * 3),
    (40, 2, ((5, 6), (3, 3), (3, 3), (3, 3))),
    (80, 2, ((5, 6), (3, 3), (3, 3), (3, 3))),
    (96, 1, ((5, 6), (5, 3), (5, 3), (5, 3))),
    (192, 2, ((5, 6),) * 4),
    (320, 1, ((3, 6),)),
)
