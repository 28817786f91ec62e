"""One member of a space as steps over shared weights, and how a step is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from edgenas.arch.architecture import Architecture
from edgenas.arch.graph import Graph, Op
from edgenas.nn.layers import ACTIVATION_FUNCTIONS, IN_PLACE_FUNCTIONS, pool
from edgenas.supernet.shapes import Sharing


class Step(NamedTuple):
    """One operation of a member, ready to run.

    Attributes:
        op: The operation.
        sharing: Where its weights lie, or None.
        inputs: Slots it reads.
        output: Slot it writes.
        free: Slots nobody reads afterwards.
        function: For an operation without weights.
        eps: Of its batch norm.
    """

    op: Op
    sharing: Sharing | None
    inputs: tuple[int, ...]
    output: int
    free: tuple[int, ...]
    function: Callable[..., Tensor] | None
    eps: float


class Path(NamedTuple):
    """A member of a space as steps.

    Attributes:
        architecture: The member.
        graph: Its graph.
        steps: All operations but the input, in order.
    """

    architecture: Architecture
    graph: Graph
    steps: tuple[Step, ...]


def make_path(architecture: Architecture, graph: Graph, sharing: list[Sharing | None]) -> Path:
    """Arrange the steps of a member.

    Args:
        architecture: The member.
        graph: Its graph.
        sharing: One entry per operation of the graph.
    """
    slot = {op.name: index for index, op in enumerate(graph.ops)}
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.inputs}
    readers: dict[str, int] = {}
    for op in graph.ops:
        for name in op.inputs:
            readers[name] = readers.get(name, 0) + 1
    steps = []
    for index, op in enumerate(graph.ops[1:], start=1):
        steps.append(
            Step(
                op=op,
                sharing=sharing[index],
                inputs=tuple(slot[name] for name in op.inputs),
                output=index,
                free=tuple(slot[name] for name in set(op.inputs) if last_use[name] == index),
                function=_function(op, in_place=bool(op.inputs) and readers[op.inputs[0]] == 1),
                eps=graph.norm_eps,
            )
        )
    return Path(architecture, graph, tuple(steps))


def _function(op: Op, *, in_place: bool) -> Callable[..., Tensor] | None:
    if op.kind == "act":
        plain = ACTIVATION_FUNCTIONS[op.activation]
        return IN_PLACE_FUNCTIONS.get(op.activation, plain) if in_place else plain
    functions: dict[str, Callable[..., Tensor]] = {"pool": pool, "mul": torch.mul, "add": torch.add}
    return functions.get(op.kind)


def run_path(path: Path, x: Tensor, layer: Callable[[Tensor, Step], Tensor]) -> Tensor:
    """Run a member.

    Args:
        path: The member.
        x: Images (N, C, H, W); resized where they are not of the member's resolution.
        layer: Runs a step that has weights.

    Returns:
        Logits (N, classes).
    """
    slots: list[Tensor | None] = [None] * len(path.graph.ops)
    slots[0] = at_resolution(x, path.architecture.resolution)
    for step in path.steps:
        values = [slots[index] for index in step.inputs]
        if step.function is None:
            assert values[0] is not None
            slots[step.output] = layer(values[0], step)
        else:
            slots[step.output] = step.function(*values)
        for index in step.free:
            slots[index] = None
        del values
    result = slots[-1]
    assert result is not None
    return result


def at_resolution(images: Tensor, resolution: int) -> Tensor:
    """Resize images (N, C, H, W) to a resolution, with antialiasing as prepared images are; unchanged where it fits."""
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
    return functional.conv2d(x, weight, bias, op.stride, (op.padding.top, op.padding.left), 1, op.groups)
