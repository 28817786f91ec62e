"""RandAugment (Cubuk 2020) and timm's form of it, for a batch: every image gets operations of its own.

A strength is a share: 1 is magnitude 10 of timm and TensorFlow, and the greatest of torchvision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from edgenas.data.augment.draws import Draws
from edgenas.data.augment.operations import POINTWISE, WARPS, warp
from edgenas.data.augment.settings import AugmentSettings

Argument: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From strengths and signs, (B,) each, to the argument of an operation, (B,)."""


def _signed(greatest: float) -> Argument:
    return lambda strength, sign: greatest * strength * sign


def _enhanced(strength: Tensor, sign: Tensor) -> Tensor:
    return (1 + 0.9 * strength * sign).clamp_min(0.1)


def _enhanced_tensorflow(strength: Tensor, _: Tensor) -> Tensor:
    return 1.8 * strength + 0.1


def _unused(strength: Tensor, _: Tensor) -> Tensor:
    return strength


_MOVES = {"rotate": _signed(30.0), "shear_x": _signed(0.3), "shear_y": _signed(0.3)}
_ENHANCEMENTS = ("colour", "contrast", "brightness", "sharpness")
_TIMM = {
    **{name: _unused for name in ("auto_contrast", "equalize", "invert")},
    **_MOVES,
    "translate_x": _signed(0.45),
    "translate_y": _signed(0.45),
    "solarize_add": lambda strength, _: (110 * strength).floor(),
}
FORMS: Mapping[str, Mapping[str, Argument]] = {
    # Cubuk 2020, section 3.1, with the ranges of AutoAugment (Cubuk 2019, table 6) as in torchvision.
    "paper": {
        **{name: _unused for name in ("identity", "auto_contrast", "equalize")},
        **_MOVES,
        "translate_x": _signed(150 / 331),
        "translate_y": _signed(150 / 331),
        "posterize": lambda strength, _: 8 - (4 * strength).round(),
        "solarize": lambda strength, _: 255 * (1 - strength),
        **{name: lambda strength, sign: 1 + 0.9 * strength * sign for name in _ENHANCEMENTS},
    },
    # timm's `rand-`, after TensorFlow's EfficientNet: posterize, solarize and the enhancements are not monotonic.
    "timm": {
        **_TIMM,
        "posterize": lambda strength, _: (4 * strength).floor(),
        "solarize": lambda strength, _: (256 * strength).floor(),
        **{name: _enhanced_tensorflow for name in _ENHANCEMENTS},
    },
    "timm_increasing": {
        **_TIMM,
        "posterize": lambda strength, _: 4 - (4 * strength).floor(),
        "solarize": lambda strength, _: 256 - (256 * strength).floor(),
        **{name: _enhanced for name in _ENHANCEMENTS},
    },
}
"""Of each form the operations, and what a strength means to them. Each operation is equally likely."""


def rand_augment(levels: Tensor, settings: AugmentSettings, draws: Draws) -> Tensor:
    """Apply random operations to every image, one after the other.

    Args:
        levels: Whole grey levels 0..255, (B, C, H, W) float.
        settings: The keys that begin with `randaugment` are used.
        draws: Operation, strength, sign and whether to apply it, per image and operation.

    Returns:
        Whole grey levels, (B, C, H, W) float.
    """
    names = tuple(FORMS[settings.randaugment_form])
    for _ in range(settings.randaugment_ops):
        choice = draws.below(len(names))
        sign = torch.where(draws.coin(), 1.0, -1.0)
        strength = torch.full_like(sign, settings.randaugment_magnitude)
        if settings.randaugment_noise:
            greatest = max(1.0, settings.randaugment_magnitude)
            strength = (strength + settings.randaugment_noise * draws.normal()).clamp(0, greatest)
        if settings.randaugment_probability < 1:
            # No operation has this number.
            choice = torch.where(draws.coin(settings.randaugment_probability), choice, -1)
        levels = apply_operations(levels, choice, strength, sign, form=settings.randaugment_form)
    return levels


def apply_operations(levels: Tensor, choice: Tensor, strength: Tensor, sign: Tensor, *, form: str) -> Tensor:
    """Apply to each image the operation that was chosen for it.

    Args:
        levels: Whole grey levels 0..255, (B, C, H, W) float; left as they are.
        choice: Place of the operation in `FORMS[form]`, (B,); -1 is none.
        strength: (B,).
        sign: 1 or -1, (B,).
        form: A name of `FORMS`.
    """
    _, _, height, width = levels.shape
    out = levels.clone()
    matrix = torch.eye(2, 3, device=levels.device).expand(len(levels), 2, 3)
    moved = torch.zeros_like(choice, dtype=torch.bool)
    for number, (name, argument) in enumerate(FORMS[form].items()):
        chosen = choice == number
        values = argument(strength, sign)
        if name in POINTWISE:
            out = _where(chosen, out, POINTWISE[name], values)
        elif name in WARPS:
            matrix = torch.where(chosen[:, None, None], WARPS[name](values, height, width), matrix)
            moved = moved | chosen
    # All turns, shears and shifts at once.
    return _where(moved, out, warp, matrix)


def _where(chosen: Tensor, levels: Tensor, operation: Callable[[Tensor, Tensor], Tensor], values: Tensor) -> Tensor:
    """Change the chosen images.

    On a CPU only these are computed. Elsewhere all are: to count the chosen the host would have to wait for the device.
    """
    if levels.device.type != "cpu":
        return torch.where(chosen[:, None, None, None], operation(levels, values), levels)
    index = chosen.nonzero()[:, 0]
    if len(index):
        levels[index] = operation(levels[index], values[index])
    return levels
