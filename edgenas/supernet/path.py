"""One member of a space as steps over shared weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from edgenas.arch.graph import Op
from edgenas.nn import layers
from edgenas.nn.plan import Function, run_steps
from edgenas.supernet.shapes import Sharing


class Step(NamedTuple):
    """One operation of a member, ready to run: `edgenas.nn.plan.Step` with the place of its weights.

    Attributes:
        op: The operation.
        inputs: Slots that it reads.
        output: Slot that it writes.
        free: Slots that nobody reads afterwards.
        function: What to call with the values of `inputs`; None for an operation that has weights.
        sharing: Where its weights lie; None for an operation without.
        eps: Of its batch norm.
    """

    op: Op
    inputs: tuple[int, ...]
    output: int
    free: tuple[int, ...]
    function: Function | None
    sharing: Sharing | None
    eps: float


class Path(NamedTuple):
    """A member of a space as steps.

    Attributes:
        resolution: Height and width of its images, pixels.
        depths: Blocks of each stage.
        steps: All operations but the input, in order.
    """

    resolution: int
    depths: tuple[int, ...]
    steps: tuple[Step, ...]


def run_path(path: Path, x: Tensor, layer: Callable[[Tensor, Step], Tensor]) -> Tensor:
    """Run a member.

    Args:
        path: The member.
        x: Images (N, C, H, W); resized where they are not of the member's resolution.
        layer: Runs a step that has weights.

    Returns:
        Logits (N, classes).
    """
    return run_steps(path.steps, at_resolution(x, path.resolution), layer)


def at_resolution(images: Tensor, resolution: int) -> Tensor:
    """Resize images (N, C, H, W) to a resolution, with antialiasing like prepared images; unchanged if it fits."""
    if images.shape[2:] == (resolution, resolution):
        return images
    return functional.interpolate(images, (resolution, resolution), mode="bilinear", antialias=True)


def slice_weight(weight: Tensor, sharing: Sharing) -> Tensor:
    """Take a member's part of a shared weight: the first channels and the centre of the kernel.

    Args:
        weight: (out, in, k, k) of a convolution or (out, in) of a fully connected layer.
        sharing: What the member takes.
    """
    if sharing.kernel == 0:
        return weight[: sharing.out_channels, : sharing.in_channels]
    margin = (weight.shape[2] - sharing.kernel) // 2
    if margin == 0:
        return weight[: sharing.out_channels, : sharing.in_channels]
    centre = slice(margin, margin + sharing.kernel)
    return weight[: sharing.out_channels, : sharing.in_channels, centre, centre]


def convolve(x: Tensor, op: Op, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Run the convolution or fully connected layer `op` with given weights."""
    if op.kind == "fc":
        return functional.linear(x.flatten(1), weight, bias)
    return layers.convolve(x, weight, bias, stride=op.stride, padding=op.padding, groups=op.groups)
