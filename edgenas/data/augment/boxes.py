"""Random rectangles of a share of an image's area. Letters: B images, H x W pixels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from edgenas.data.augment.draws import Draws, log_uniform

# As in torchvision and TensorFlow: so often is a rectangle drawn before the fallback is taken.
ATTEMPTS = 10


class Boxes(NamedTuple):
    """Rectangles of whole pixels, (B,) int64 each."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def random_boxes(
    height: int, width: int, *, least: float, greatest: float, ratio: float, draws: Draws
) -> tuple[Boxes, Tensor]:
    """Draw rectangles: area uniform, width over height log-uniform, place uniform (Szegedy 2015, section 6).

    A rectangle that does not fit is drawn again, `ATTEMPTS` times at most.

    Args:
        height: H.
        width: W.
        least, greatest: Shares of the area.
        ratio: Greatest width over height; the least is its inverse.
        draws: Of the B images.

    Returns:
        The rectangles, and whether each was found, (B,). Otherwise it is the largest in the middle whose ratio is
        allowed.
    """
    area = draws.uniform(least, greatest, ATTEMPTS) * (height * width)
    aspect = log_uniform(draws, ratio, ATTEMPTS)
    wide, tall = torch.sqrt(area * aspect).round(), torch.sqrt(area / aspect).round()
    fits = (wide >= 1) & (wide <= width) & (tall >= 1) & (tall <= height)
    found = fits.any(1)
    # The first that fits: the earlier, the larger its number.
    first = (fits * torch.arange(ATTEMPTS, 0, -1, device=draws.device)).argmax(1, keepdim=True)
    middle_height, middle_width = _largest(height, width, ratio)
    tall = torch.where(found, tall.gather(1, first)[:, 0], middle_height).long()
    wide = torch.where(found, wide.gather(1, first)[:, 0], middle_width).long()
    top, left = draws.below(height - tall + 1), draws.below(width - wide + 1)
    top = torch.where(found, top, (height - tall) // 2)
    left = torch.where(found, left, (width - wide) // 2)
    return Boxes(top, left, tall, wide), found


def _largest(height: int, width: int, ratio: float) -> tuple[float, float]:
    """Return height and width of the largest rectangle of an allowed ratio."""
    own = width / height
    if own < 1 / ratio:
        return float(round(width * ratio)), float(width)
    if own > ratio:
        return float(height), float(round(height * ratio))
    return float(height), float(width)


def inside(boxes: Boxes, height: int, width: int) -> Tensor:
    """Return which pixels lie in the rectangles, (B, H, W) bool."""
    rows, columns = (torch.arange(size, device=boxes.top.device) for size in (height, width))
    in_rows = (rows >= boxes.top[:, None]) & (rows < (boxes.top + boxes.height)[:, None])
    in_columns = (columns >= boxes.left[:, None]) & (columns < (boxes.left + boxes.width)[:, None])
    return in_rows[:, :, None] & in_columns[:, None, :]


def centred_boxes(side: Tensor, height: int, width: int, draws: Draws) -> Boxes:
    """Return rectangles of a relative side around uniform centres, cut at the border (Yun 2019, eq. 2).

    Args:
        side: Share of both sides, (B,).
        height: H.
        width: W.
        draws: Of the B images.
    """
    tall, wide = (side * height).long(), (side * width).long()
    y, x = draws.below(height), draws.below(width)
    top, left = (y - tall // 2).clamp(0, height), (x - wide // 2).clamp(0, width)
    bottom, right = (y + tall // 2).clamp(0, height), (x + wide // 2).clamp(0, width)
    return Boxes(top, left, bottom - top, right - left)

