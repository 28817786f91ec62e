"""The preprocessing of an image before it enters the network. It ships with every model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.data.loading.stored import resize_image, to_channels
from edgenas.data.settings import INTERPOLATIONS, RESIZE_MODES, Interpolation, ResizeMode
from edgenas.data.subset import chosen_images
from edgenas.data.values import Images, Split
from edgenas.errors import DataError, explain

# Images that decide the statistics of a split that does not lie in memory.
SAMPLE = 10_000
CHUNK_BYTES = 4 * 2**20
# A channel with a deviation below one grey level is constant. Division by that deviation would only amplify rounding.
SMALLEST_STD = 1 / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Resize, convert, scale and normalise: x = (pixel * scale - mean) / std, per channel.

    Attributes:
        resolution: Height and width in pixels.
        resize, interpolation, crop: See `DataSettings`.
        scale: Factor from pixel values 0..255.
        mean: Per channel, after scaling.
        std: Per channel, after scaling.
        channel_order: "RGB" or "grey".
    """

    resolution: int
    resize: ResizeMode = "crop"
    scale: float = 1 / 255
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channel_order: str = "RGB"
    interpolation: Interpolation = "bilinear"
    crop: float = 1.0

    def __post_init__(self) -> None:
        channels = {"RGB": 3, "grey": 1}.get(self.channel_order)
        if channels is None or len(self.mean) != channels or len(self.std) != channels:
            raise DataError(
                explain(
                    "preprocessing does not agree with itself",
                    got=f"{self.channel_order} with {len(self.mean)} means and {len(self.std)} deviations",
                    allowed="RGB with 3 or grey with 1",
                )
            )
        known = self.resize in RESIZE_MODES and self.interpolation in INTERPOLATIONS
        if min(self.std) <= 0 or self.scale <= 0 or self.resolution < 1 or not known or not 0 < self.crop <= 1:
            raise DataError(explain("impossible preprocessing", got=self))

    @property
    def channels(self) -> int:
        """Number of input channels of the network."""
        return len(self.mean)

    def apply(self, images: Images) -> NDArray[np.float32]:
        """Prepare images for a runtime.

        Args:
            images: (N, H, W, C) uint8 with C of 1, 3 or 4, of any size.

        Returns:
            (N, channels, resolution, resolution) float32.
        """
        images = to_channels(images, self.channels)
        if images.shape[1:3] != (self.resolution, self.resolution):
            images = np.stack(
                [
                    resize_image(
                        image, self.resolution, mode=self.resize, interpolation=self.interpolation, crop=self.crop
                    )
                    for image in images
                ]
            )
        # One multiplication and one addition, in float32, exactly as `edgenas.data.batches` does it in torch.
        factor, offset = self.affine()
        return np.ascontiguousarray((images * factor + offset).transpose(0, 3, 1, 2))

    def affine(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return factor and offset per channel, (C,) float32 each: x = pixel * factor + offset."""
        std = np.asarray(self.std)
        return (self.scale / std).astype(np.float32), (-np.asarray(self.mean) / std).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON. The usual filter and crop are left out."""
        usual = (self.interpolation, self.crop) == ("bilinear", 1.0)
        return {
            "resolution": self.resolution,
            "resize": self.resize,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
            "channel_order": self.channel_order,
            **({} if usual else {"interpolation": self.interpolation, "crop": self.crop}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Read what `to_dict` wrote.

        Raises:
            DataError: A key is missing or unknown, or a value impossible.
        """
        try:
            return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})
        except (TypeError, KeyError) as error:
            raise DataError(explain(f"cannot read preprocessing: {error}", got=dict(values))) from error


def fit_preprocessing(train: Split, *, resolution: int | None = None, resize: ResizeMode = "crop") -> Preprocessing:
    """Compute mean and standard deviation per channel on the training images.

    Args:
        train: The training images. All count if they lie in an array; otherwise `SAMPLE` of them, every class in
            proportion.
        resolution: What the network wants; None keeps that of the images.
        resize: How deployed code shall resize other images.

    Returns:
        The preprocessing of every split and of the deployed model.
    """
    chosen = chosen_images(train, None if hasattr(train, "images") else SAMPLE)
    # A histogram of the 256 values holds everything and costs no precision.
    histogram = np.zeros((train.shape[2], 256), np.int64)
    step = max(1, CHUNK_BYTES // (train.shape[0] * train.shape[1] * train.shape[2]))
    for start in range(0, len(chosen), step):
        images = train.read(chosen[start : start + step])
        for channel in range(train.shape[2]):
            histogram[channel] += np.bincount(images[..., channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    shares = histogram / histogram.sum(1, keepdims=True)
    mean = shares @ values
    std = np.sqrt(np.maximum(shares @ values**2 - mean**2, SMALLEST_STD**2))
    return Preprocessing(
        resolution=resolution or train.shape[0],
        resize=resize,
        mean=tuple(float(value) for value in mean),
        std=tuple(float(value) for value in std),
        channel_order="RGB" if train.shape[2] == 3 else "grey",
    )
