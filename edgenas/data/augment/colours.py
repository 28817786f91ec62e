"""Brightness, contrast, saturation and hue of a batch, on whole grey levels.

Every function takes and returns whole grey levels 0..255 as floats, (B, C, H, W), with one value per image, (B,).
Blends are cut to whole levels as Pillow's `ImageEnhance` does it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgenas.data.augment.draws import Draws
from edgenas.data.augment.settings import AugmentSettings


def change_colours(levels: Tensor, settings: AugmentSettings, draws: Draws) -> Tensor:
    """Change brightness, contrast, saturation and hue, in this order.

    Args:
        levels: (B, C, H, W).
        settings: `jitter`, `brightness`, `contrast`, `saturation` and `hue` are used.
        draws: One factor per image and change.
    """
    changes = (
        (settings.brightness, adjust_brightness),
        (settings.contrast, adjust_contrast),
        (settings.saturation, adjust_saturation),
    )
    for own, change in changes:
        strength = settings.jitter if own is None else own
        if strength:
            levels = change(levels, draws.uniform(1 - strength, 1 + strength))
    return turn_hue(levels, draws.uniform(-settings.hue, settings.hue)) if settings.hue else levels


def adjust_brightness(levels: Tensor, factor: Tensor) -> Tensor:
    """Scale towards black (factor 0) or beyond."""
    return _whole(levels * _each(factor))


def adjust_contrast(levels: Tensor, factor: Tensor) -> Tensor:
    """Scale around the mean grey level of each image."""
    middle = (grey(levels).mean((1, 2, 3), keepdim=True) + 0.5).floor_()
    return _blend(middle, levels, factor)


def adjust_saturation(levels: Tensor, factor: Tensor) -> Tensor:
    """Scale around grey; images with one channel stay as they are."""
    return levels if levels.shape[1] == 1 else _blend(grey(levels), levels, factor)


def adjust_sharpness(levels: Tensor, factor: Tensor) -> Tensor:
    """Scale around a smoothed image (Pillow's `ImageFilter.SMOOTH`); pixels at the border stay as they are."""
    if min(levels.shape[2:]) < 3:
        return levels
    channels = levels.shape[1]
    # Filled on the device: a copy of values from the host would make it wait.
    kernel = torch.full((3, 3), 1 / 13, device=levels.device)
    kernel[1, 1] = 5 / 13
    smooth = levels.clone()
    inner = torch.nn.functional.conv2d(levels, kernel.expand(channels, 1, 3, 3), groups=channels)
    smooth[:, :, 1:-1, 1:-1] = (inner + 0.5).floor_()
    return _blend(smooth, levels, factor)


def turn_hue(levels: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue by a share of the circle; images with one channel stay as they are.

    Hue, saturation and value as in Smith 1978. The way back is the closed form f(n) = v - v s max(0, min(k, 4 - k, 1))
    with k = (n + 6 h) mod 6 and n = 5, 3, 1 for red, green and blue.
    """
    if levels.shape[1] == 1:
        return levels
    value, chroma = levels.amax(1), levels.amax(1) - levels.amin(1)
    red, green, blue = levels.unbind(1)
    divisor = chroma.clamp_min(1.0)
    sextant = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    turned = sextant + 6 * turn[:, None, None]
    place = torch.stack([(number + turned) % 6 for number in (5, 3, 1)], 1)
    share = torch.minimum(place, 4 - place).clamp_(0, 1)
    return (value[:, None] - chroma[:, None] * share).round_().clamp_(0, 255)


def grey(levels: Tensor) -> Tensor:
    """Return luma (ITU-R BT.601) in whole levels, (B, 1, H, W)."""
    if levels.shape[1] == 1:
        return levels
    red, green, blue = levels.split(1, 1)
    return (0.299 * red + 0.587 * green + 0.114 * blue + 0.5).floor_()


def _blend(other: Tensor, levels: Tensor, factor: Tensor) -> Tensor:
    """Return `other` at factor 0, the image at 1, and beyond it above."""
    return _whole(torch.lerp(other.expand_as(levels), levels, _each(factor)))


def _whole(levels: Tensor) -> Tensor:
    """Cut to whole levels. The little that is added keeps a level that rounding left just below itself."""
    return levels.add_(1e-3).floor_().clamp_(0, 255)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
