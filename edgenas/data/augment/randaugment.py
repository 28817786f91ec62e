"""A batched form of RandAugment (Cubuk 2020): every image gets one operation per round.

Images of one operation are changed together.

Differences from the paper: strengths are drawn uniformly up to the magnitude instead of fixed, and Equalize is left out
(it needs a histogram per image).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgenas.data.transfer import to_device

Operation = Callable[[Tensor, Tensor], Tensor]

GREATEST_DEGREES = 30.0
GREATEST_SHEAR = 0.3
GREATEST_TRANSLATION = 0.3
GREATEST_ENHANCEMENT = 0.9


def rand_augment(images: Tensor, magnitude: float, rng: np.random.Generator) -> Tensor:
    """Apply one random operation to every image.

    Args:
        images: (B, C, H, W) float in [0, 1].
        magnitude: Greatest strength, 0 to 1.
        rng: Draws operation, strength and direction per image.

    Returns:
        (B, C, H, W) float in [0, 1].
    """
    choice = rng.integers(len(OPERATIONS), size=len(images))
    strength = rng.uniform(0, magnitude, len(images)) * rng.choice((-1.0, 1.0), len(images))
    out = images.clone()
    for number, operation in enumerate(OPERATIONS.values()):
        chosen = np.flatnonzero(choice == number)
        if not len(chosen):
            continue
        index = to_device(chosen, images.device)
        amount = to_device(strength[chosen], images.device, images.dtype)[:, None, None, None]
        out[index] = operation(images[index], amount)
    return out


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Scale towards black (factor 0) or beyond; factor (B, 1, 1, 1)."""
    return (images * factor).clamp_(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale around the mean grey level of each image; factor (B, 1, 1, 1)."""
    middle = _grey(images).mean((1, 2, 3), keepdim=True)
    return torch.lerp(middle, images, factor).clamp_(0, 1)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Scale around grey; images with one channel stay as they are; factor (B, 1, 1, 1)."""
    return images if images.shape[1] == 1 else torch.lerp(_grey(images), images, factor).clamp_(0, 1)


def _grey(images: Tensor) -> Tensor:
    """Return luma (ITU-R BT.601), (B, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    return (images * images.new_tensor((0.299, 0.587, 0.114))[:, None, None]).sum(1, keepdim=True)


def _sharpness(images: Tensor, amount: Tensor) -> Tensor:
    channels = images.shape[1]
    # The smoothing kernel of Pillow's ImageFilter.SMOOTH.
    kernel = images.new_tensor(((1, 1, 1), (1, 5, 1), (1, 1, 1))) / 13
    smooth = functional.conv2d(
        functional.pad(images, (1, 1, 1, 1), mode="replicate"), kernel.expand(channels, 1, 3, 3), groups=channels
    )
    return torch.lerp(smooth, images, 1 + GREATEST_ENHANCEMENT * amount).clamp_(0, 1)


def _posterize(images: Tensor, amount: Tensor) -> Tensor:
    levels = torch.exp2(8 - torch.round(4 * amount.abs()))
    return torch.floor(images * (levels - 1) + 0.5) / (levels - 1)


def _solarize(images: Tensor, amount: Tensor) -> Tensor:
    return torch.where(images > 1 - amount.abs(), 1 - images, images)


def _auto_contrast(images: Tensor, amount: Tensor) -> Tensor:
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp_min(1e-6), images)


def _warp(images: Tensor, matrix: Tensor) -> Tensor:
    """Sample at an affine map of the output positions; (B, 2, 3) in relative coordinates; outside is reflected."""
    # The list is sizes, not the tensor's own: affine_grid wants plain integers.
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _affine(amount: Tensor, *, xx: Tensor | float = 1.0, xy: Tensor | float = 0.0, x: Tensor | float = 0.0,
            yx: Tensor | float = 0.0, yy: Tensor | float = 1.0, y: Tensor | float = 0.0) -> Tensor:  # fmt: skip
    flat = amount[:, 0, 0, 0]
    rows = [[torch.zeros_like(flat) + value for value in row] for row in ((xx, xy, x), (yx, yy, y))]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _rotate(images: Tensor, amount: Tensor) -> Tensor:
    angle = amount[:, 0, 0, 0] * math.radians(GREATEST_DEGREES)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return _warp(images, _affine(amount, xx=cos, xy=-sin, yx=sin, yy=cos))


def _shear_x(images: Tensor, amount: Tensor) -> Tensor:
    return _warp(images, _affine(amount, xy=GREATEST_SHEAR * amount[:, 0, 0, 0]))


def _shear_y(images: Tensor, amount: Tensor) -> Tensor:
    return _warp(images, _affine(amount, yx=GREATEST_SHEAR * amount[:, 0, 0, 0]))


def _translate_x(images: Tensor, amount: Tensor) -> Tensor:
    # Relative coordinates span 2.
    return _warp(images, _affine(amount, x=2 * GREATEST_TRANSLATION * amount[:, 0, 0, 0]))


def _translate_y(images: Tensor, amount: Tensor) -> Tensor:
    return _warp(images, _affine(amount, y=2 * GREATEST_TRANSLATION * amount[:, 0, 0, 0]))


OPERATIONS: dict[str, Operation] = {
    "identity": lambda images, amount: images,
    "brightness": lambda images, amount: adjust_brightness(images, 1 + GREATEST_ENHANCEMENT * amount),
    "contrast": lambda images, amount: adjust_contrast(images, 1 + GREATEST_ENHANCEMENT * amount),
    "saturation": lambda images, amount: adjust_saturation(images, 1 + GREATEST_ENHANCEMENT * amount),
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "auto_contrast": _auto_contrast,
    "rotate": _rotate,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
