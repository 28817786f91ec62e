"""The published networks as values. Layer tables from the papers named at each; counts are tested to the unit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from edgenas.arch.architecture import Architecture
from edgenas.arch.zoo.efficientnet import EFFICIENTNET_SCALES, efficientnet, efficientnet_lite
from edgenas.arch.zoo.mobilenet import (
    UIB_MEDIUM,
    UIB_SMALL,
    V3_LARGE,
    V3_SMALL,
    V4_MEDIUM_LEADING,
    V4_SMALL_LEADING,
    mobilenet_v2,
    mobilenet_v3,
    mobilenet_v4,
)
from edgenas.arch.zoo.searched import (
    FBNET_C,
    MNASNET_A1,
    MNASNET_B1,
    MNASNET_SMALL,
    PROXYLESS_MOBILE,
    SINGLE_PATH,
    layerwise,
    mnasnet,
)
from edgenas.errors import ArchitectureError, explain, nearest

__all__ = ["EFFICIENTNET_SCALES", "NAMES", "published"]

_ZOO: dict[str, Callable[[], Architecture]] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_large": lambda: mobilenet_v3(V3_LARGE, 960, 1280),
    "mobilenet_v3_small": lambda: mobilenet_v3(V3_SMALL, 576, 1024),
    "mnasnet_a1": lambda: mnasnet(MNASNET_A1, stem=32),
    "mnasnet_b1": lambda: mnasnet(MNASNET_B1, stem=32),
    "mnasnet_small": lambda: mnasnet(MNASNET_SMALL, stem=8, separable_skip=True),
    "efficientnet_b0": lambda: efficientnet(0),
    "efficientnet_b1": lambda: efficientnet(1),
    "efficientnet_b2": lambda: efficientnet(2),
    "efficientnet_b3": lambda: efficientnet(3),
    "efficientnet_b4": lambda: efficientnet(4),
    "efficientnet_b5": lambda: efficientnet(5),
    "efficientnet_b6": lambda: efficientnet(6),
    "efficientnet_b7": lambda: efficientnet(7),
    "efficientnet_lite0": lambda: efficientnet_lite(0),
    "efficientnet_lite1": lambda: efficientnet_lite(1),
    "efficientnet_lite2": lambda: efficientnet_lite(2),
    "efficientnet_lite3": lambda: efficientnet_lite(3),
    "efficientnet_lite4": lambda: efficientnet_lite(4),
    "fbnet_c": lambda: layerwise(FBNET_C, stem=16, head=1984, keep_expand=True),
    "single_path_nas": lambda: layerwise(SINGLE_PATH, stem=32, head=1280, separable=16),
    "proxyless_mobile": lambda: layerwise(PROXYLESS_MOBILE, stem=32, head=1280, separable=16, activation="relu6"),
    "mobilenet_v4_conv_small": lambda: mobilenet_v4(V4_SMALL_LEADING, UIB_SMALL, 224),
    "mobilenet_v4_conv_medium": lambda: mobilenet_v4(V4_MEDIUM_LEADING, UIB_MEDIUM, 256),
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
