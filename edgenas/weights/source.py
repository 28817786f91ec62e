"""What is known of one published set of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgenas.arch.padding import PaddingRule

Interpolation = Literal["bilinear", "bicubic"]
Layout = Literal["torchvision", "timm", "timm_tf", "efficientnet_pytorch", "once_for_all"]
"""Whose names the arrays have; all but the last are packages that `edgenas.nn.load_pretrained` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """How images were prepared in the training of the weights: x = (pixel / 255 - mean) / std, RGB or grey.

    Attributes:
        mean, std: Per channel, of values in [0, 1].
        interpolation: Of the resize.
        crop: Share of the shorter side that the central square keeps.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation
    crop: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSource:
    """One published set of weights.

    Attributes:
        name: `package:weights`, such as `timm:tf_efficientnet_b0.aa_in1k`.
        network: Of the zoo; of a supernet, the preset of its space.
        layout: Whose names the arrays have.
        file: Name of the file.
        url: Where the file lies; empty for what a package brings or the hub holds.
        hub: Repository of the hub of Hugging Face; empty for others.
        package: Package of PyPI that brings the file, with version; empty for others.
        sha256: Of the file: all 64 digits, or the first ones where no more is published; empty where none are.
        megabytes: Size of the file, about; None where it is not known.
        licence: Of the weights, as their publisher states it.
        top1: ImageNet accuracy in percent, as published; None where no figure is known for this file.
        top1_resolution: Pixels at which that was found.
        resolution: Pixels of the training.
        images: How images are prepared.
        padding: Of the network's convolutions.
        norm_eps: Epsilon of its batch norms.
        order: Of its operations, where others differ.
    """

    name: str
    network: str
    layout: Layout
    file: str
    url: str = ""
    hub: str = ""
    package: str = ""
    sha256: str = ""
    megabytes: float | None = None
    licence: str
    top1: float | None = None
    top1_resolution: int
    resolution: int
    images: ImageInput
    padding: PaddingRule = "symmetric"
    norm_eps: float = 1e-5
    order: str = "convolution, norm, activation; squeeze-excite after the activation"

    @property
    def supernet(self) -> bool:
        """Whether it is a supernet rather than a network."""
        return self.layout == "once_for_all"

    @property
    def kept_as(self) -> str:
        """Name of the file in torch's cache. A file of the hub is called as many others are there."""
        return f"{self.name.partition(':')[2]}{self.file[self.file.rindex('.') :]}" if self.hub else self.file

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        if self.package:
            return f"PyPI package {self.package}"
        return self.url or f"https://huggingface.co/{self.hub} ({self.file})"
