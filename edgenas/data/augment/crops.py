"""Shifts, mirror images and random resized crops of a batch. Letters: B images, H x W pixels, C channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from edgenas.data.augment.boxes import Boxes, random_boxes
from edgenas.data.augment.draws import Draws
from edgenas.data.augment.settings import AugmentSettings, CropInterpolation


def shift_and_flip(images: Tensor, settings: AugmentSettings, draws: Draws) -> Tensor:
    """Shift and mirror images before they become floats; one gather does both.

    Args:
        images: (B, H, W, C) uint8.
        settings: `crop_padding` and `flip` are used; the padding must be smaller than the image.
        draws: One shift and one coin per image.

    Returns:
        (B, H, W, C) uint8, or `images` itself where both are off.
    """
    if not settings.crop_padding and not settings.flip:
        return images
    count, height, width, _ = images.shape
    pad = min(settings.crop_padding, height - 1, width - 1)
    rows, columns = (_shifted(size, pad, draws) for size in (height, width))
    if settings.flip:
        columns = torch.where(draws.coin()[:, None], columns.flip(1), columns)
    batch = torch.arange(count, device=images.device)[:, None, None]
    return images[batch, rows[:, :, None], columns[:, None, :]]


def _shifted(size: int, pad: int, draws: Draws) -> Tensor:
    """Return the positions of a side after a random shift, reflected at the border, (B, size)."""
    shift = draws.below(2 * pad + 1) - pad
    index = (torch.arange(size, device=draws.device) + shift[:, None]).abs()
    return (size - 1) - ((size - 1) - index).abs()


def random_resized_crop(images: Tensor, size: int, settings: AugmentSettings, draws: Draws) -> Tensor:
    """Cut a random rectangle out of each image, scale it and mirror half of them (Szegedy 2015, section 6).

    Args:
        images: (B, H, W, C) uint8.
        size: Wanted height and width.
        settings: `crop_scale`, which must be set, `crop_ratio`, `crop_interpolation` and `flip` are used.
        draws: Of the B images.

    Returns:
        Whole grey levels (B, C, size, size) float32, as `resized_crop` gives them.
    """
    assert settings.crop_scale is not None
    _, height, width, _ = images.shape
    boxes, _ = random_boxes(
        height, width, least=settings.crop_scale, greatest=1.0, ratio=settings.crop_ratio, draws=draws
    )
    mirrored = draws.coin() if settings.flip else None
    return resized_crop(images, boxes, size, interpolation=settings.crop_interpolation, mirrored=mirrored)


def resized_crop(
    images: Tensor, boxes: Boxes, size: int, *, interpolation: CropInterpolation, mirrored: Tensor | None = None
) -> Tensor:
    """Scale a rectangle of each image to one size, antialiased as Pillow and torchvision do it.

    Args:
        images: (B, H, W, C) uint8.
        boxes: The rectangles.
        size: Wanted height and width.
        interpolation: The filter.
        mirrored: Images whose columns are turned round, (B,) bool; None turns none.

    Returns:
        Whole grey levels (B, C, size, size) float32 in 0..255. A CPU and other devices differ by at most one level.
    """
    # On a CPU torch scales bytes one image at a time, seven times as fast as the products below.
    scale = _one_by_one if images.device.type == "cpu" else _by_products
    return scale(images.permute(0, 3, 1, 2), boxes, size, interpolation, mirrored)


def _one_by_one(
    images: Tensor, boxes: Boxes, size: int, interpolation: CropInterpolation, mirrored: Tensor | None
) -> Tensor:
    levels = torch.empty((*images.shape[:2], size, size), memory_format=torch.channels_last)
    turned = [False] * len(images) if mirrored is None else mirrored.tolist()
    places = zip(*(values.tolist() for values in boxes), strict=True)
    for number, ((top, left, height, width), turn) in enumerate(zip(places, turned, strict=True)):
        cut = images[number : number + 1, :, top : top + height, left : left + width]
        scaled = functional.interpolate(cut, (size, size), mode=interpolation, antialias=True)
        levels[number] = scaled[0].flip(2) if turn else scaled[0]
    return levels


def _by_products(
    images: Tensor, boxes: Boxes, size: int, interpolation: CropInterpolation, mirrored: Tensor | None
) -> Tensor:
    """Scale rows and columns, each by a matrix of weights per image, so that two products scale the whole batch."""
    count, channels, height, width = images.shape
    kernel = _FILTERS[interpolation]
    down = _weights(boxes.top, boxes.height, height, size, *kernel)
    across = _weights(boxes.left, boxes.width, width, size, *kernel)
    if mirrored is not None:
        across = torch.where(mirrored[:, None, None], across.flip(1), across)
    levels = images.to(down.dtype, memory_format=torch.contiguous_format)
    rows = torch.bmm(levels.view(count, channels * height, width), across.transpose(1, 2))
    scaled = torch.matmul(down[:, None], rows.view(count, channels, height, size))
    return scaled.round_().clamp_(0, 255)


def _weights(start: Tensor, length: Tensor, size: int, wanted: int, kernel: Kernel, support: float) -> Tensor:
    """Return how much each pixel of a side counts for each wanted one, (B, wanted, size); rows sum to 1."""
    scale = length.float()[:, None] / wanted
    # A side that grows is interpolated between neighbours; one that shrinks is averaged over `scale` of them.
    reach = scale.clamp_min(1.0)[:, :, None]
    centre = (torch.arange(wanted, device=start.device) + 0.5) * scale
    place = torch.arange(size, device=start.device) - start[:, None]
    distance = (place[:, None, :] + 0.5 - centre[:, :, None]) / reach
    weights = kernel(distance.abs_()) * (distance < support)
    weights *= ((place >= 0) & (place < length[:, None]))[:, None, :]
    return weights.div_(weights.sum(2, keepdim=True))


Kernel = Callable[[Tensor], Tensor]


def _triangle(distance: Tensor) -> Tensor:
    return 1 - distance


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic with a = -0.5, which Pillow and antialiased torch use (Keys 1981, eq. 15)."""
    near = (1.5 * distance - 2.5) * distance.square() + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, far)


_FILTERS: dict[str, tuple[Kernel, float]] = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0)}
