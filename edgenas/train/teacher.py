"""A trained network that gives soft targets. It gets the images in its own normalisation and size."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgenas.data.network_input import Preprocessing
from edgenas.errors import WeightsError, explain


class Teacher(nn.Module):
    """Converts the student's normalised images to its own normalisation and size, and returns its logits."""

    def __init__(self, model: nn.Module, *, images: Preprocessing, own: Preprocessing) -> None:
        """Keep a model.

        Args:
            model: From images (B, C, H, W) to logits (B, K).
            images: Of the images that come in.
            own: Of those that the model was trained on.

        Raises:
            WeightsError: The two differ in their channels.
        """
        super().__init__()
        if images.channels != own.channels:
            raise WeightsError(
                explain(
                    "the teacher takes other images",
                    got=f"{own.channels} channels ({own.channel_order})",
                    allowed=f"{images.channels} channels ({images.channel_order})",
                )
            )
        self.model = model
        self.model.requires_grad_(False)
        self._size = (own.resolution, own.resolution)
        (factor, offset), (own_factor, own_offset) = images.affine(), own.affine()
        scale = own_factor / factor
        self._same = factor.tolist() == own_factor.tolist() and offset.tolist() == own_offset.tolist()
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.from_numpy(scale)[:, None, None])
        self.register_buffer("shift", torch.from_numpy(own_offset - scale * offset)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, K) for images (B, C, H, W)."""
        if not self._same:
            images = images * self.scale + self.shift
        if images.shape[2:] != self._size:
            images = functional.interpolate(images, self._size, mode="bilinear", antialias=True)
        logits: Tensor = self.model(images)
        return logits


def weights_digest(model: nn.Module) -> str:
    """Return the SHA-256 of a model's weights, which identifies the teacher of a resumed training."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
