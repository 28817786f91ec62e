"""The operations of RandAugment, as Pillow defines them, on a batch of whole grey levels.

Every function takes and returns whole grey levels 0..255 as floats, (B, C, H, W), with one argument per image, (B,).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from edgenas.data.augment.colours import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    adjust_sharpness,
)

Operation = Callable[[Tensor, Tensor], Tensor]

FILL = 128.0
"""Grey level of what a turned or moved image leaves open, as in TensorFlow's and timm's RandAugment."""


def posterize(levels: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits, 0 to 8."""
    step = torch.exp2(8 - bits.round().clamp(0, 8))[:, None, None, None]
    return torch.floor(levels / step) * step


def solarize(levels: Tensor, threshold: Tensor) -> Tensor:
    """Invert levels from a threshold on."""
    return torch.where(levels < threshold[:, None, None, None], levels, 255 - levels)


def solarize_add(levels: Tensor, added: Tensor) -> Tensor:
    """Add to levels below 128."""
    brighter = (levels + added[:, None, None, None]).clamp_max(255)
    return torch.where(levels < 128, brighter, levels)


def invert(levels: Tensor, _: Tensor) -> Tensor:
    """Turn black into white."""
    return 255 - levels


def auto_contrast(levels: Tensor, _: Tensor) -> Tensor:
    """Stretch each channel from its darkest level to black and from its lightest to white."""
    low, high = levels.amin((2, 3), keepdim=True), levels.amax((2, 3), keepdim=True)
    stretched = ((levels - low) * 255 / (high - low).clamp_min(1) + 1e-3).floor_()
    return torch.where(high > low, stretched, levels)


def equalize(levels: Tensor, _: Tensor) -> Tensor:
    """Make the histogram of each channel flat, as Pillow's `ImageOps.equalize` does it."""
    count, channels, height, width = levels.shape
    flat = levels.long().view(count, channels, height * width)
    histogram = levels.new_zeros((count, channels, 256), dtype=torch.int64)
    histogram.scatter_add_(2, flat, torch.ones_like(flat))
    lightest = (histogram > 0).long().mul_(torch.arange(256, device=levels.device)).amax(2, keepdim=True)
    step = (height * width - histogram.gather(2, lightest)) // 255
    before = histogram.cumsum(2) - histogram
    table = ((step // 2 + before) // step.clamp_min(1)).clamp_(0, 255)
    # Nothing can be spread where the levels below the lightest fill less than one step.
    kept = torch.where(step > 0, table.gather(2, flat), flat)
    return kept.view_as(levels).to(levels.dtype)


def warp(levels: Tensor, matrix: Tensor) -> Tensor:
    """Take each pixel from an affine map of its place, bilinear; outside of the image lies grey.

    Args:
        levels: (B, C, H, W).
        matrix: (B, 2, 3), from x, y in pixels (a pixel's middle lies at a half) to the place in the image.
    """
    _, _, height, width = levels.shape
    columns = torch.arange(width, device=levels.device) + 0.5
    rows = torch.arange(height, device=levels.device) + 0.5
    by_x, by_y, offset = matrix[..., None, None].unbind(2)
    place = by_x * columns + by_y * rows[:, None] + offset
    grid = torch.stack((place[:, 0] * (2 / width) - 1, place[:, 1] * (2 / height) - 1), 3)
    sampled = functional.grid_sample(levels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    in_image = ((place[:, 0] >= 0) & (place[:, 0] < width) & (place[:, 1] >= 0) & (place[:, 1] < height))[:, None]
    # Pillow cuts what it interpolates to whole levels.
    return torch.where(in_image, (sampled + 1e-3).floor_(), FILL)


def rotation(degrees: Tensor, height: int, width: int) -> Tensor:
    """Return the map of a turn around the middle, counter-clockwise as seen, (B, 2, 3)."""
    angle = degrees * (math.pi / 180)
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, y = width / 2, height / 2
    return _matrix(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)


def shear_x(share: Tensor, height: int, width: int) -> Tensor:
    """Return the map that moves rows the further, the lower they are, (B, 2, 3)."""
    return _matrix(1.0, share, 0.0, 0.0, 1.0, 0.0)


def shear_y(share: Tensor, height: int, width: int) -> Tensor:
    """Return the map that moves columns the further, the further right they are, (B, 2, 3)."""
    return _matrix(1.0, 0.0, 0.0, share, 1.0, 0.0)


def translation_x(share: Tensor, height: int, width: int) -> Tensor:
    """Return the map that moves by a share of the width, (B, 2, 3)."""
    return _matrix(1.0, 0.0, share * width, 0.0, 1.0, 0.0)


def translation_y(share: Tensor, height: int, width: int) -> Tensor:
    """Return the map that moves by a share of the height, (B, 2, 3)."""
    return _matrix(1.0, 0.0, 0.0, 0.0, 1.0, share * height)


def _matrix(*entries: Tensor | float) -> Tensor:
    like = next(entry for entry in entries if isinstance(entry, Tensor))
    filled = [entry if isinstance(entry, Tensor) else torch.full_like(like, entry) for entry in entries]
    return torch.stack(filled, 1).view(-1, 2, 3)


POINTWISE: dict[str, Operation] = {
    "auto_contrast": auto_contrast,
    "equalize": equalize,
    "invert": invert,
    "posterize": posterize,
    "solarize": solarize,
    "solarize_add": solarize_add,
    "colour": adjust_saturation,
    "contrast": adjust_contrast,
    "brightness": adjust_brightness,
    "sharpness": adjust_sharpness,
}
"""Operations that move no pixel."""

WARPS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "rotate": rotation,
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translation_x,
    "translate_y": translation_y,
}
"""Operations that move pixels, as maps for `warp`."""
