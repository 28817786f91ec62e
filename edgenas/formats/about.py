"""What a file says of its input and its classes to programs that did not write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgenas.reading.json_text import plain_text

LABELS_FILE = "labels.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Names and units of a file.

    Attributes:
        labels: Names of the classes, (K,).
        mean, std: By channel, in grey levels 0..255: the input is (pixel - mean) / std.
        grey: Whether images have one channel.
        name: Of the network, for people.
        licence: Of the weights; empty where nobody stated one.
    """

    labels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    grey: bool = False
    name: str = ""
    licence: str = ""


def about_of(preprocessing: Mapping[str, Any], labels: Sequence[str], *, name: str = "", licence: str = "") -> About:
    """Return names and units from plain values of `Preprocessing`.

    Args:
        preprocessing: Its plain values.
        labels: Names of the classes.
        name: Of the network.
        licence: Of the weights.
    """
    scale = preprocessing["scale"]
    return About(
        labels=tuple(labels),
        mean=tuple(value / scale for value in preprocessing["mean"]),
        std=tuple(value / scale for value in preprocessing["std"]),
        grey=preprocessing["channel_order"] == "grey",
        name=name,
        licence=licence,
    )


def properties_of(about: About) -> dict[str, str]:
    """Return the text properties that every format can hold: `names` (JSON, class names in order), units, licence."""
    channels = "grey" if about.grey else "RGB"
    mean, std = (", ".join(f"{value:.6g}" for value in values) for values in (about.mean, about.std))
    return {
        "names": plain_text(list(about.labels)),
        "input_units": f"{channels}, (pixel - mean) / std by channel; pixels 0 to 255, mean {mean}, std {std}",
        "output_units": "logits in the order of names; their softmax are shares",
        **({"license": about.licence} if about.licence else {}),
    }
