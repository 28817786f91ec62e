"""Batched augmentation in plain torch. Letters: B images, C channels, H x W pixels, K classes.

Every random number comes from a passed numpy generator and is drawn on the host, a few per image: the same generator
gives the same batch on every device.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgenas.data.augment.randaugment import adjust_brightness, adjust_contrast, adjust_saturation, rand_augment
from edgenas.data.augment.settings import AugmentSettings
from edgenas.data.transfer import to_device

# Ranges of random erasing: share of the area, and height over width (Zhong 2020, section 3).
ERASE_AREA = (0.02, 1 / 3)
ERASE_ASPECT = (0.3, 1 / 0.3)


def shift_and_flip(images: Tensor, settings: AugmentSettings, rng: np.random.Generator) -> Tensor:
    """Shift and mirror images before they become floats; one gather does both.

    Args:
        images: (B, H, W, C) uint8.
        settings: `crop_padding` and `flip` are used; the padding must be smaller than the image.
        rng: Draws one shift and one coin per image.

    Returns:
        (B, H, W, C) uint8, or `images` itself where both are off.
    """
    if not settings.crop_padding and not settings.flip:
        return images
    count, height, width, _ = images.shape
    pad = min(settings.crop_padding, height - 1, width - 1)
    shift = rng.integers(-pad, pad + 1, (2, count, 1))
    rows = _reflect(np.arange(height) + shift[0], height)
    columns = _reflect(np.arange(width) + shift[1], width)
    if settings.flip:
        columns = np.where(rng.random((count, 1)) < 0.5, columns[:, ::-1], columns)
    batch = torch.arange(count, device=images.device)[:, None, None]
    return images[batch, _to(rows, images)[:, :, None], _to(columns, images)[:, None, :]]


def change_colours(images: Tensor, settings: AugmentSettings, rng: np.random.Generator) -> Tensor:
    """Apply jitter, then the RandAugment-like operations.

    Args:
        images: (B, C, H, W) float in [0, 1].
        settings: `jitter`, `randaugment_ops` and `randaugment_magnitude` are used.
        rng: Draws a few numbers per image.

    Returns:
        (B, C, H, W) float in [0, 1].
    """
    if settings.jitter:
        factors = _to(rng.uniform(1 - settings.jitter, 1 + settings.jitter, (3, len(images), 1, 1, 1)), images)
        images = adjust_brightness(images, factors[0])
        images = adjust_contrast(images, factors[1])
        images = adjust_saturation(images, factors[2])
    for _ in range(settings.randaugment_ops):
        images = rand_augment(images, settings.randaugment_magnitude, rng)
    return images


def erase(images: Tensor, probability: float, rng: np.random.Generator) -> Tensor:
    """Set a rectangle of some images to zero, which is the mean of normalised images.

    Args:
        images: (B, C, H, W) float, normalised.
        probability: Share of the images.
        rng: Draws place and shape.
    """
    if not probability:
        return images
    count, _, height, width = images.shape
    area = rng.uniform(*ERASE_AREA, count)
    aspect = np.exp(rng.uniform(np.log(ERASE_ASPECT[0]), np.log(ERASE_ASPECT[1]), count))
    chosen = rng.random(count) < probability
    inside = _boxes(np.sqrt(area * aspect), np.sqrt(area / aspect), height, width, rng)
    return images.masked_fill(_to(inside & chosen[:, None, None], images, bool)[:, None], 0.0)


def mix(
    images: Tensor, labels: Tensor, settings: AugmentSettings, *, classes: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """Mixup or cutmix with a shuffled copy of the batch, weights drawn per image.

    Args:
        images: (B, C, H, W) float, normalised.
        labels: (B,) int64.
        settings: `mixup_alpha` and `cutmix_alpha` are used.
        classes: K.
        rng: Chooses the kind, partners, weights and rectangles.

    Returns:
        Mixed images and targets (B, K) that sum to 1, or the images and None where both are off.
    """
    if not settings.mixup_alpha and not settings.cutmix_alpha:
        return images, None
    count, _, height, width = images.shape
    use_cutmix = settings.cutmix_alpha > 0 and (not settings.mixup_alpha or rng.random() < 0.5)
    partner = _to(rng.permutation(count), labels)
    alpha = settings.cutmix_alpha if use_cutmix else settings.mixup_alpha
    keep = rng.beta(alpha, alpha, count)
    if use_cutmix:
        side = np.sqrt(1 - keep)
        inside = _boxes(side, side, height, width, rng)
        images = torch.where(_to(inside, images, bool)[:, None], images[partner], images)
        # The weight is the area that was really pasted, after cutting at the border (Yun 2019, section 3.1).
        keep = 1 - inside.mean((1, 2))
        weight = _to(keep, images)[:, None]
    else:
        weight = _to(keep, images)[:, None]
        images = images * weight[..., None, None] + images[partner] * (1 - weight[..., None, None])
    hot = torch.nn.functional.one_hot(labels, classes).to(images.dtype)
    return images, hot * weight + hot[partner] * (1 - weight)


def _boxes(
    tall: NDArray[np.float64], wide: NDArray[np.float64], height: int, width: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return masks (B, H, W) of rectangles with relative sides `tall` and `wide` around random centres."""
    middle_y, middle_x = rng.uniform(0, height, len(tall)), rng.uniform(0, width, len(wide))
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    in_rows = np.abs(rows - middle_y[:, None]) < (tall * height / 2)[:, None]
    in_columns = np.abs(columns - middle_x[:, None]) < (wide * width / 2)[:, None]
    return in_rows[:, :, None] & in_columns[:, None, :]


def _reflect(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    index = np.abs(index)
    return (size - 1) - np.abs((size - 1) - index)


def _to(values: NDArray[np.generic], like: Tensor, dtype: type | None = None) -> Tensor:
    """Bring drawn numbers to the device; floats take the type of `like`, integers stay indices."""
    if dtype is bool:
        return to_device(values, like.device)
    floating = np.issubdtype(values.dtype, np.floating)
    return to_device(values, like.device, like.dtype if floating else torch.int64)
