"""What all trainings of shared weights have in common: the supernet on its device, and which training it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenas.data import ImageData, Preprocessing
from edgenas.supernet.supernet import Supernet

CHECKPOINT_SECONDS = 60.0
"""A checkpoint of shared weights is written after the first epoch that ends this long after the last one."""


def identity(
    supernet: Supernet, data: ImageData, preprocessing: Preprocessing, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Say which training this is: what may not differ when it is taken up again.

    Args:
        supernet: Its space counts, not its weights.
        data: Its digest counts.
        preprocessing: Of the images.
        settings: Plain values with the recipe under "train".
    """
    recipe = {name: value for name, value in settings["train"].items() if name != "workers"}
    # A few names are in both; the recipe has them plain.
    own = {f"own.{name}" if name in recipe else name: value for name, value in settings.items() if name != "train"}
    return {
        "space": supernet.space.digest,
        "data": data.digest,
        "input": preprocessing.to_dict(),
        **own,
        **recipe,
    }
