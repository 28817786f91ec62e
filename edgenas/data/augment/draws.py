"""Random numbers of a batch, drawn on the device of its images."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# The least uniform number of which a logarithm is taken.
SMALLEST = 1e-38


def step_generator(device: torch.device, *, seed: int, epoch: int, step: int) -> torch.Generator:
    """Return a generator on a device that depends on (seed, epoch, step) alone."""
    state = np.random.SeedSequence((seed, epoch, step)).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0] >> 1))


class Draws:
    """Random numbers for B images: one row for each.

    Nothing here makes the host wait for the device.

    Attributes:
        device: Of the generator and of everything that is drawn.
    """

    def __init__(self, generator: torch.Generator, images: int, *, part: slice = slice(None)) -> None:
        """Keep the arguments.

        Args:
            generator: On the device of the images.
            images: Of the whole batch.
            part: The images of the batch that rows are wanted for. Processes that share a batch so draw the same
                numbers as one process alone.
        """
        self.device = generator.device
        self._generator, self._images, self._part = generator, images, part

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        """Return numbers of [low, high), (B, *shape) float32."""
        drawn = torch.rand((self._images, *shape), generator=self._generator, device=self.device)
        return drawn[self._part] * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers, (B, *shape) float32."""
        return torch.randn((self._images, *shape), generator=self._generator, device=self.device)[self._part]

    def coin(self, probability: float = 0.5) -> Tensor:
        """Return true with a probability, (B,)."""
        return self.uniform() < probability

    def below(self, count: Tensor | int) -> Tensor:
        """Return whole numbers of 0 to count - 1, (B,) int64; `count` is one number or (B,)."""
        drawn = (self.uniform() * count).long()
        # A uniform number just below 1, times a large count, rounds up to the count.
        return torch.minimum(drawn, count - 1) if isinstance(count, Tensor) else drawn.clamp_max(count - 1)

    def beta(self, alpha: float) -> Tensor:
        """Return numbers of Beta(alpha, alpha), (B,) float32.

        A gamma variate of a small shape underflows. So variates of shape alpha + 1 are drawn and brought to alpha by
        u^(1 / alpha) in logarithms (Marsaglia 2000, section 6).
        """
        shape = torch.full((self._images, 2), alpha + 1.0, device=self.device)
        gamma = torch._standard_gamma(shape, generator=self._generator)[self._part]
        logs = gamma.log() + self.uniform(0.0, 1.0, 2).clamp_min(SMALLEST).log() / alpha
        return torch.sigmoid(logs[:, 0] - logs[:, 1])

    def permutation(self) -> Tensor:
        """Return the images in a random order, (B,) int64; of a part, only its own images."""
        return self.uniform().argsort()


def log_uniform(draws: Draws, greatest: float, *shape: int) -> Tensor:
    """Return numbers of [1 / greatest, greatest) whose logarithm is uniform, (B, *shape)."""
    limit = math.log(greatest)
    return draws.uniform(-limit, limit, *shape).exp()
