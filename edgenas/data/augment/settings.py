"""Which random changes training images go through; knows no torch, so that configurations stay light."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from edgenas.errors import ConfigError, explain, nearest

CropInterpolation = Literal["bilinear", "bicubic"]
RandAugmentForm = Literal["paper", "timm", "timm_increasing"]
EraseFill = Literal["mean", "noise"]

_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("crop_padding", 0, 1024),
    ("crop_scale", 0.001, 1),
    ("crop_ratio", 1, 10),
    ("jitter", 0, 1),
    ("brightness", 0, 1),
    ("contrast", 0, 1),
    ("saturation", 0, 1),
    ("hue", 0, 0.5),
    ("randaugment_ops", 0, 10),
    ("randaugment_magnitude", 0, 3),
    ("randaugment_noise", 0, 1),
    ("randaugment_probability", 0, 1),
    ("erase_probability", 0, 1),
    ("mixup_alpha", 0, 100),
    ("cutmix_alpha", 0, 100),
    ("repeats", 1, 64),
)
_NAMES: dict[str, tuple[str, ...]] = {
    "crop_interpolation": get_args(CropInterpolation),
    "randaugment_form": get_args(RandAugmentForm),
    "erase_fill": get_args(EraseFill),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """Random changes of a batch; all are off by default.

    Attributes:
        crop_padding: Shift by up to this many pixels in both directions; the border is reflected.
        crop_scale: Random resized crop: least share of the area that is cut out and scaled to the network's resolution
            (Szegedy 2015, section 6: 0.08); the greatest is all. None cuts nothing.
        crop_ratio: Greatest width over height of that crop; the least is its inverse.
        crop_interpolation: Filter of that scaling, antialiased.
        flip: Mirror left and right with probability 1/2.
        jitter: Strength of brightness, contrast and saturation changes; factors lie in [1 - jitter, 1 + jitter].
        brightness, contrast, saturation: The strength of one of them; None is that of `jitter`.
        hue: Greatest turn of the hue in both directions, as a share of the circle.
        randaugment_form: "paper": the 14 operations of Cubuk 2020, each stronger with the magnitude. "timm": the 15 of
            timm's `rand-` policies, with TensorFlow's levels, of which some grow weaker with the magnitude.
            "timm_increasing": timm's `inc1`, where each grows stronger.
        randaugment_ops: Operations of RandAugment on every image, one after the other.
        randaugment_magnitude: Their strength; 1 is timm's and TensorFlow's magnitude 10 and torchvision's greatest.
        randaugment_noise: Standard deviation of the strength; timm's `mstd0.5` is 0.05.
        randaugment_probability: Of each operation; timm's policies have 0.5.
        erase_probability: Share of images of which a rectangle is erased (Zhong 2020, random erasing).
        erase_fill: What it is filled with: the "mean" of the images, or normal "noise" for each pixel.
        mixup_alpha: Blend pairs of images, weight from Beta(alpha, alpha) (Zhang 2018).
        cutmix_alpha: Paste a rectangle of another image, area from Beta(alpha, alpha) (Yun 2019). If both mixes are on,
            each image takes one of them at random.
        repeats: Times that an image is in a batch, each time with changes of its own (Hoffer 2020). The batch and the
            number of steps stay as they are, so an epoch sees fewer different images.
    """

    crop_padding: int = 0
    crop_scale: float | None = None
    crop_ratio: float = 4 / 3
    crop_interpolation: CropInterpolation = "bilinear"
    flip: bool = False
    jitter: float = 0.0
    brightness: float | None = None
    contrast: float | None = None
    saturation: float | None = None
    hue: float = 0.0
    randaugment_form: RandAugmentForm = "paper"
    randaugment_ops: int = 0
    randaugment_magnitude: float = 0.5
    randaugment_noise: float = 0.0
    randaugment_probability: float = 1.0
    erase_probability: float = 0.0
    erase_fill: EraseFill = "mean"
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    repeats: int = 1

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(explain(f"impossible augment.{name}", got=value, allowed=f"{low} to {high}"))
        for name, allowed in _NAMES.items():
            value = getattr(self, name)
            if value not in allowed:
                hint = nearest(str(value), allowed)
                raise ConfigError(
                    explain(f"unknown augment.{name}{hint}", got=repr(value), allowed=", ".join(allowed))
                )


_FIRST_KEYS = {
    "crop_padding", "flip", "jitter", "randaugment_ops", "randaugment_magnitude", "erase_probability", "mixup_alpha",
    "cutmix_alpha",
}  # fmt: skip


def without_newer_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Return augmentation settings without newer keys at their defaults, so that earlier finished work stays valid.

    Args:
        values: By key, as `dataclasses.asdict` gives them. Where RandAugment is on its form is kept: an earlier version
            had another one.
    """
    defaults = {field.name: field.default for field in fields(AugmentSettings)}
    kept = {*_FIRST_KEYS, *(("randaugment_form",) if values.get("randaugment_ops") else ())}
    return {name: value for name, value in values.items() if name in kept or value != defaults.get(name)}
