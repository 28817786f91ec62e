"""Random erasing, mixup and cutmix of normalised images. Letters: B images, C channels, H x W pixels, K classes."""

from __future__ import annotations

import torch
from torch import Tensor

from edgenas.data.augment.boxes import centred_boxes, inside, random_boxes
from edgenas.data.augment.draws import Draws
from edgenas.data.augment.settings import AugmentSettings

# Ranges of random erasing: share of the area, and height over width (Zhong 2020, section 3).
ERASE_AREA = (0.02, 1 / 3)
ERASE_RATIO = 1 / 0.3


def erase(images: Tensor, settings: AugmentSettings, draws: Draws) -> Tensor:
    """Fill a rectangle of some images (Zhong 2020, algorithm 1).

    Args:
        images: (B, C, H, W) float, normalised, so that zero is their mean and one their deviation.
        settings: `erase_probability` and `erase_fill` are used.
        draws: Place and shape.
    """
    if not settings.erase_probability:
        return images
    _, channels, height, width = images.shape
    least, greatest = ERASE_AREA
    boxes, found = random_boxes(height, width, least=least, greatest=greatest, ratio=ERASE_RATIO, draws=draws)
    chosen = draws.coin(settings.erase_probability) & found
    erased = (inside(boxes, height, width) & chosen[:, None, None])[:, None]
    if settings.erase_fill == "mean":
        return images.masked_fill(erased, 0.0)
    return torch.where(erased, draws.normal(channels, height, width).to(images.dtype), images)


def mix(
    images: Tensor, labels: Tensor, settings: AugmentSettings, *, classes: int, draws: Draws
) -> tuple[Tensor, Tensor | None]:
    """Mixup or cutmix with a shuffled copy of the batch, kind and weight drawn per image.

    Args:
        images: (B, C, H, W) float, normalised.
        labels: (B,) int64.
        settings: `mixup_alpha` and `cutmix_alpha` are used.
        classes: K.
        draws: Chooses the kind, partners, weights and rectangles.

    Returns:
        Mixed images and targets (B, K) that sum to 1, or the images and None where both are off.
    """
    mixup, cutmix = settings.mixup_alpha, settings.cutmix_alpha
    if not mixup and not cutmix:
        return images, None
    partner = draws.permutation()
    kept: Tensor | None = None
    if cutmix:
        kept = _uncovered(images, draws.beta(cutmix), draws)
    if mixup:
        weight = draws.beta(mixup)[:, None, None]
        kept = weight if kept is None else torch.where(draws.coin()[:, None, None], weight, kept)
    assert kept is not None
    return blend(images, labels, partner, kept, classes=classes)


def _uncovered(images: Tensor, keep: Tensor, draws: Draws) -> Tensor:
    """Return 0 in a rectangle of about the area 1 - keep and 1 around it, (B, H, W) (Yun 2019, eq. 2)."""
    height, width = images.shape[2:]
    boxes = centred_boxes((1 - keep).sqrt(), height, width, draws)
    return (~inside(boxes, height, width)).float()


def blend(
    images: Tensor, labels: Tensor, partner: Tensor, kept: Tensor, *, classes: int
) -> tuple[Tensor, Tensor]:
    """Blend each image and its label with those of a partner.

    Args:
        images: (B, C, H, W) float.
        labels: (B,) int64.
        partner: (B,) int64.
        kept: Weight of the image, by pixel or for all: (B, H, W) or (B, 1, 1). The label's is its mean, so after a
            cutmix that the border cut it is the area that is really left (Yun 2019, section 3.1).
        classes: K.

    Returns:
        Images, and targets (B, K) that sum to 1.
    """
    mixed = torch.lerp(images[partner], images, kept[:, None].to(images.dtype))
    weight = kept.mean((1, 2))[:, None].to(images.dtype)
    hot = torch.nn.functional.one_hot(labels, classes).to(images.dtype)
    return mixed, torch.lerp(hot[partner], hot, weight)
