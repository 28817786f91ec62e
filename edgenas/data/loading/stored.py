"""One image from the source to its final form: channels, size, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from edgenas.data.settings import Interpolation, ResizeMode
from edgenas.data.sources.raw import Reader
from edgenas.data.values import Images

# ITU-R BT.601 weights of red, green and blue in luma.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
WHITE = 255
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preparation:
    """How every image of one part is prepared.

    Attributes:
        reader: Where the images come from.
        resolution: Height and width of the result in pixels.
        resize, interpolation, crop: See `DataSettings`.
        channels: 1 or 3.
        noise_std: Share of the full range.
        noise_seed: Together with the index of the image it decides the noise, so that order and threads do not matter.
    """

    reader: Reader
    resolution: int
    resize: ResizeMode
    interpolation: Interpolation = "bilinear"
    crop: float = 1.0
    channels: int
    noise_std: float
    noise_seed: tuple[int, ...]

    def __call__(self, index: int) -> Images:
        """Return image `index` of the reader, (resolution, resolution, channels) uint8.

        Raises:
            UnreadableImageError: It cannot be decoded.
        """
        image = to_channels(self.reader.read(index), self.channels)
        image = resize_image(
            image, self.resolution, mode=self.resize, interpolation=self.interpolation, crop=self.crop
        )
        if self.noise_std:
            image = _add_noise(image, self.noise_std, np.random.default_rng((*self.noise_seed, index)))
        return image


def to_channels(image: Images, channels: int) -> Images:
    """Convert (H, W, 1 | 3 | 4) to (H, W, 1 | 3).

    Alpha is composited over white, grey is repeated, and colour becomes luma (ITU-R BT.601).
    """
    if image.shape[-1] == 4:
        alpha = image[..., 3:].astype(np.float32) / 255
        image = np.rint(image[..., :3] * alpha + WHITE * (1 - alpha)).astype(np.uint8)
    if image.shape[-1] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=-1)
    return np.rint(image.astype(np.float32) @ LUMA).astype(np.uint8)[..., None]


def resize_image(
    image: Images, resolution: int, *, mode: ResizeMode, interpolation: Interpolation = "bilinear", crop: float = 1.0
) -> Images:
    """Resize (H, W, C) to (resolution, resolution, C) with an antialiased filter.

    Args:
        image: Of any size; it is returned as it is if it is of the right one.
        resolution: Of the result, pixels.
        mode, interpolation, crop: See `DataSettings`.
    """
    height, width = image.shape[:2]
    if (height, width) == (resolution, resolution):
        return image
    wide, high = crop * width, crop * height
    if mode == "crop":
        wide = high = crop * min(height, width)
    left, top = (width - wide) / 2, (height - high) / 2
    box = (left, top, left + wide, top + high)
    pillow = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    resized = np.asarray(pillow.resize((resolution, resolution), _FILTERS[interpolation], box=box))
    return resized[..., None] if image.shape[2] == 1 else resized


def _add_noise(image: Images, noise_std: float, rng: np.random.Generator) -> Images:
    noisy = image + rng.normal(0.0, 255 * noise_std, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
