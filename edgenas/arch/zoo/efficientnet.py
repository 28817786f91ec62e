"""EfficientNet-B0 to B7 and Lite0."""

from __future__ import annotations

import math

from edgenas.arch.architecture import (
    Architecture,
    Block,
    Head,
    SqueezeExcite,
    Stem,
    make_divisible,
)
from edgenas.arch.zoo.stages import IMAGENET_CLASSES, inverted_stage, residual

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


def efficientnet(variant: int) -> Architecture:
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
        stages=residual(blocks, stem),
        head=Head(conv_channels=make_divisible(1280 * width), activation="silu"),
        classes=IMAGENET_CLASSES,
    )


# The Lite family has scales of its own from variant 3 on.
LITE_SCALES = {
    0: (1.0, 1.0, 224),
    1: (1.0, 1.1, 240),
    2: (1.1, 1.2, 260),
    3: (1.2, 1.4, 280),
    4: (1.4, 1.8, 300),
}


def efficientnet_lite(variant: int) -> Architecture:
    """EfficientNet-Lite0..4 (Liu 2020, tpu/models/official/efficientnet/lite): B0 without squeeze-excite, ReLU6.

    Stem, head and the depth of the first and last stage are those of Lite0. Its authors train with TensorFlow's SAME
    padding, and so do all who published weights of Lite0 to Lite2 but timm's `efficientnet_lite0`.
    """
    width, depth, resolution = LITE_SCALES[variant]
    blocks: list[Block] = []
    channels = 32
    for stage, (expansion, kernel, stride, out, layers) in enumerate(_B0_ROWS):
        ends = stage in (0, len(_B0_ROWS) - 1)
        blocks += inverted_stage(
            channels=channels,
            out_channels=make_divisible(out * width),
            layers=layers if ends else math.ceil(layers * depth),
            stride=stride,
            expansion=expansion,
            kernel=kernel,
            activation="relu6",
        )
        channels = make_divisible(out * width)
    return Architecture(
        resolution=resolution,
        stem=Stem(out_channels=32, activation="relu6"),
        stages=residual(blocks, 32),
        head=Head(conv_channels=1280, activation="relu6"),
        classes=IMAGENET_CLASSES,
        padding="same",
    )
