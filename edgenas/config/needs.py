"""Keys that mean something only beside other keys. Without these they are refused, since nothing would obey them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a key needs beside it.

    Attributes:
        words: The other key with its value, as in a configuration.
        holds: Whether a section has it.
    """

    words: str
    holds: Callable[[Any], bool]


Needs: TypeAlias = Mapping[str, Need]

_ADAMW_ONLY = ("adamw",)
_NO_SANDWICH = ("single_path", "fair", "cycle", "progressive")

_CROPS = Need(words="crop_scale", holds=lambda section: section.crop_scale is not None)
_RANDAUGMENT = Need(words="randaugment_ops above 0", holds=lambda section: section.randaugment_ops > 0)
AUGMENT: Needs = {
    "crop_ratio": _CROPS,
    "crop_interpolation": _CROPS,
    "randaugment_form": _RANDAUGMENT,
    "randaugment_magnitude": _RANDAUGMENT,
    "randaugment_noise": _RANDAUGMENT,
    "randaugment_probability": _RANDAUGMENT,
    "erase_fill": Need(words="erase_probability above 0", holds=lambda section: section.erase_probability > 0),
}
# An optimizer or a scheme of another package may read every key.
FIT: Needs = {
    "momentum": Need(words="optimizer: sgd", holds=lambda section: section.optimizer not in _ADAMW_ONLY),
}
SUPERNET: Needs = {
    **FIT,
    **{
        name: Need(words="scheme: sandwich", holds=lambda section: section.scheme not in _NO_SANDWICH)
        for name in ("random_members", "distillation_weight", "distil_after")
    },
    "start_package": Need(words="start", holds=lambda section: section.start is not None),
    "teacher": Need(words="teacher_weight above 0", holds=lambda section: section.teacher_weight > 0),
    "teacher_weight": Need(
        words="scheme: progressive",
        holds=lambda section: section.scheme not in ("single_path", "fair", "cycle", "sandwich"),
    ),
}
TRAIN: Needs = {
    **FIT,
    "recalibration_images": Need(words="averaging_decay", holds=lambda section: section.averaging_decay is not None),
    **{
        name: Need(words="teacher", holds=lambda section: section.teacher is not None)
        for name in ("distillation_weight", "distillation_temperature")
    },
}
SEARCH: Needs = {
    "predictor_candidates": Need(
        words="estimator: predictor", holds=lambda section: section.estimator == "predictor"
    ),
}


def unmet(section: Any, needs: Needs, defaults: Mapping[str, Any]) -> list[str]:
    """Say which keys of a section have no effect. A key at its default says nothing.

    Args:
        section: Values by attribute.
        needs: By key.
        defaults: By key.
    """
    return [
        f"no {name} (nothing obeys it without {need.words})"
        for name, need in needs.items()
        if getattr(section, name) != defaults[name] and not need.holds(section)
    ]
