"""Which random changes training images go through; knows no torch, so that configurations stay light."""

from __future__ import annotations

from dataclasses import dataclass

from edgenas.errors import ConfigError, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """Random changes of a batch; all are off by default.

    Attributes:
        crop_padding: Shift by up to this many pixels in both directions; the border is reflected.
        flip: Mirror left and right with probability 1/2.
        jitter: Strength of brightness, contrast and saturation changes; factors lie in [1 - jitter, 1 + jitter].
        randaugment_ops: Operations of the RandAugment kind on every image, one after the other (Cubuk 2020).
        randaugment_magnitude: Their strength, 0 to 1.
        erase_probability: Share of images of which a rectangle is erased (Zhong 2020, random erasing).
        mixup_alpha: Blend pairs of images, weight from Beta(alpha, alpha) (Zhang 2018).
        cutmix_alpha: Paste a rectangle of another image, area from Beta(alpha, alpha) (Yun 2019). If both mixes are on,
            each batch takes one of them at random.
    """

    crop_padding: int = 0
    flip: bool = False
    jitter: float = 0.0
    randaugment_ops: int = 0
    randaugment_magnitude: float = 0.5
    erase_probability: float = 0.0
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("crop_padding", 0, 1024),
            ("jitter", 0, 1),
            ("randaugment_ops", 0, 10),
            ("randaugment_magnitude", 0, 1),
            ("erase_probability", 0, 1),
            ("mixup_alpha", 0, 100),
            ("cutmix_alpha", 0, 100),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(explain(f"impossible augment.{name}", got=value, allowed=f"{low} to {high}"))
