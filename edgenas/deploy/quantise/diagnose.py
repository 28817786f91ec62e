"""Which operations lose the accuracy of an int8 network, and remedies in torch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgenas.deploy.quantise.simulate import Simulator
from edgenas.errors import TrainingError, explain
from edgenas.formats import FoldedOp
from edgenas.types import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLoss:
    """The effect on the logits of one operation on integers while all others stay in floating point.

    Attributes:
        name: The operation.
        noise: Mean squared change of the logits divided by their variance.
        changed: Share of images whose class changes.
    """

    name: str
    noise: float
    changed: float


@torch.no_grad()
def diagnose(
    simulator: Simulator, images: NDArray[np.float32], *, progress: Progress | None = None
) -> tuple[LayerLoss, ...]:
    """Let one operation at a time work on integers and compare the logits with the float network's.

    Args:
        simulator: The network; what it rounds is restored afterwards.
        images: Normalised images (N, C, H, W).
        progress: Called with (operations done, operations in all, what).

    Returns:
        One entry for each operation that the int8 file rounds, the worst first.
    """
    batch, rounded = torch.from_numpy(images), simulator.quantised
    losses = []
    try:
        simulator.quantised = set()
        reference = simulator(batch)
        scale = float(reference.var()) or 1.0
        for done, name in enumerate(sorted(rounded), start=1):
            simulator.quantised = {name}
            logits = simulator(batch)
            losses.append(
                LayerLoss(
                    name=name,
                    noise=float((logits - reference).square().mean()) / scale,
                    changed=float((logits.argmax(1) != reference.argmax(1)).float().mean()),
                )
            )
            if progress is not None:
                progress(done, len(rounded), "looking for the layers that lose accuracy")
    finally:
        simulator.quantised = rounded
    return tuple(sorted(losses, key=lambda loss: -loss.noise))


@torch.no_grad()
def correct_biases(simulator: Simulator, images: NDArray[np.float32]) -> None:
    """Shift each bias so that the mean of every channel is that of the float network (Nagel 2019, section 4.2).

    Layer by layer in order, each with the corrections before it in place.

    Args:
        simulator: The network; its biases are changed.
        images: Normalised training images (N, C, H, W).
    """
    batch, rounded = torch.from_numpy(images), simulator.quantised
    simulator.quantised = set()
    try:
        wanted = _walk(simulator, batch, lambda op, mean: None)
    finally:
        simulator.quantised = rounded
    _walk(simulator, batch, lambda op, mean: simulator.bias_of(op).add_(wanted[op.name] - mean))


def _walk(simulator: Simulator, batch: Tensor, visit: Callable[[FoldedOp, Tensor], object]) -> dict[str, Tensor]:
    """Run the network; show each layer's channel means to `visit` before the layer's result is computed.

    Returns:
        The mean of each channel before the activation, by layer.
    """
    means: dict[str, Tensor] = {}
    live: dict[str, Tensor] = {}
    readers = {name: op.name for op in simulator.folded.ops for name in op.inputs}
    for op in simulator.folded.ops:
        inputs = simulator.read(op, live) or [batch]
        if op.op.weighted:
            means[op.name] = _channel_means(simulator.linear(op, inputs))
            visit(op, means[op.name])
        live[op.name] = simulator.apply_op(op, inputs)
        for name in op.inputs:
            if readers[name] == op.name:
                live.pop(name, None)
    return means


def _channel_means(x: Tensor) -> Tensor:
    return x.mean((0, 2, 3)) if x.dim() == 4 else x.mean(0)


def fine_tune(
    simulator: Simulator,
    batches: Callable[[int], Tensor],
    *,
    steps: int,
    learning_rate: float = 1e-4,
    teacher: Simulator | None = None,
    progress: Progress | None = None,
) -> None:
    """Train the rounded network towards the float network's logits (Jacob 2018; distilled as Hinton 2015).

    No labels are needed. The aim are the float network's logits, so the file cannot drift away from that network.

    Args:
        simulator: The network; its weights are changed.
        batches: From the number of a step to normalised training images (N, C, H, W).
        steps: Optimizer steps.
        learning_rate: Peak of a cosine schedule.
        teacher: Network without rounding whose logits are the aim; None takes the network itself as it was before.
        progress: Called with (steps done, steps in all, what).

    Raises:
        TrainingError: The loss is not finite.
    """
    teacher = teacher or copy.deepcopy(simulator)
    teacher.quantised = set()
    optimizer = torch.optim.AdamW(simulator.parameters(), lr=learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for step in range(steps):
        images = batches(step)
        with torch.no_grad():
            target = functional.log_softmax(teacher(images), dim=1)
        answer = functional.log_softmax(simulator(images), dim=1)
        loss = functional.kl_div(answer, target, log_target=True, reduction="batchmean")
        if not bool(torch.isfinite(loss)):
            raise TrainingError(explain(f"the loss of quantisation-aware fine-tuning is not finite at step {step}"))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, steps, "fine-tuning with rounding")
