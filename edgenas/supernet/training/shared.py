"""What is common to all trainings of shared weights: how rarely they are kept, and the identity of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgenas.data import ImageData, Preprocessing
from edgenas.supernet.supernet import Supernet
from edgenas.train.settings import CHANGEABLE

CHECKPOINT_SECONDS = 60.0
"""Least seconds between two checkpoints of shared weights that are written because an epoch has ended."""


def identity(
    supernet: Supernet, data: ImageData, preprocessing: Preprocessing, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the identity of a training: the values that may not differ when it is resumed.

    Args:
        supernet: Its space counts, not its weights.
        data: Its digest counts.
        preprocessing: Of the images.
        settings: Plain values with the recipe under "train".
    """
    recipe = {name: value for name, value in settings["train"].items() if name not in CHANGEABLE}
    # A few names occur in both; the plain ones are the recipe's.
    own = {f"own.{name}" if name in recipe else name: value for name, value in settings.items() if name != "train"}
    return {
        "space": supernet.space.digest,
        "data": data.digest,
        "input": preprocessing.to_dict(),
        **own,
        **recipe,
    }
