"""Layers that carry weights, and the functions of those that do not."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgenas.arch.graph import Op
from edgenas.arch.padding import Padding


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int, padding: Padding, groups: int
) -> Tensor:
    """Convolve (N, C, H, W) with any padding; torch's own convolution pads opposite sides alike.

    Args:
        x: Input.
        weight: (out, in / groups, k, k).
        bias: (out,) or None.
        stride, padding, groups: Of the convolution.
    """
    if padding.symmetric:
        return functional.conv2d(x, weight, bias, stride, (padding.top, padding.left), 1, groups)
    padded = functional.pad(x, (padding.left, padding.right, padding.top, padding.bottom))
    return functional.conv2d(padded, weight, bias, stride, 0, 1, groups)


class Norm(nn.BatchNorm2d):
    """Batch norm without a batch counter: its state is the four vectors of the weights contract."""

    def __init__(self, channels: int, *, eps: float, momentum: float) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.num_batches_tracked = None

    def reset_running_stats(self) -> None:
        """Set the running mean to 0 and the running variance to 1."""
        self.running_mean.zero_()  # type: ignore[union-attr]
        self.running_var.fill_(1)  # type: ignore[union-attr]

    def _load_from_state_dict(self, *args: object) -> None:
        # BatchNorm2d adds a batch counter to a state without version; there is none here.
        nn.Module._load_from_state_dict(self, *args)  # type: ignore[arg-type]


class Conv(nn.Conv2d):
    """Convolution, with batch norm as its child `norm` (then without bias) or with bias."""

    norm: Norm | None

    def __init__(self, op: Op, in_channels: int, *, eps: float, momentum: float) -> None:
        super().__init__(
            in_channels,
            op.shape.channels,
            op.kernel,
            stride=op.stride,
            groups=op.groups,
            bias=not op.norm,
        )
        self.margins = op.padding
        self.norm = Norm(op.shape.channels, eps=eps, momentum=momentum) if op.norm else None

    def reset_parameters(self) -> None:
        """Leave the weights as they are: `initialise` draws them, from a generator of the caller."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W) and normalise."""
        y = self.convolve(x, self.weight, self.bias)
        return y if self.norm is None else self.norm(y)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with other weights, stride and padding as here."""
        return convolve(x, weight, bias, stride=self.stride[0], padding=self.margins, groups=self.groups)


class Dense(nn.Linear):
    """Fully connected layer on (N, C) or (N, C, 1, 1)."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are: `initialise` draws them, from a generator of the caller."""

    def forward(self, x: Tensor) -> Tensor:
        """Map to (N, out)."""
        return functional.linear(x.flatten(1), self.weight, self.bias)


def pool(x: Tensor) -> Tensor:
    """Global average of (N, C, H, W) to (N, C, 1, 1)."""
    return x.mean((2, 3), keepdim=True)


class Noise:
    """Dropout and stochastic depth from a generator of their own. Masks are drawn where the values lie.

    Attributes:
        generator: On the device of the last values. It moves with them and begins there with its seed.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def _mask(self, shape: tuple[int, ...], keep: float, x: Tensor) -> Tensor:
        if self.generator.device != x.device:
            # A copy of a mask drawn on the host would make it wait for all that is queued on the device.
            self.generator = torch.Generator(x.device).manual_seed(self.generator.initial_seed())
        kept = torch.rand(shape, generator=self.generator, device=x.device) < keep
        return (kept / keep).to(x.dtype)

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        """Zero each value with probability `rate`, scale the rest (Srivastava 2014)."""
        return x * self._mask(tuple(x.shape), 1 - rate, x)

    def drop_branch(self, x: Tensor, rate: float) -> Tensor:
        """Zero the whole branch of an image with probability `rate`, scale the rest (Huang 2016)."""
        return x * self._mask((x.shape[0], *(1 for _ in x.shape[1:])), 1 - rate, x)
