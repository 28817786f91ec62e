"""The plan of a graph: its operations in order, with the slots that each reads and writes, and how a plan is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from edgenas.arch.graph import Graph, Op
from edgenas.nn.activations import torch_forms
from edgenas.nn.layers import pool

Function = Callable[..., Tensor]

_PLAIN: dict[str, Function] = {"pool": pool, "mul": torch.mul, "add": torch.add}


class Step(NamedTuple):
    """One operation, ready to run.

    Attributes:
        op: The operation.
        inputs: Slots that it reads.
        output: Slot that it writes.
        free: Slots that nobody reads afterwards.
        function: What to call with the values of `inputs`; None for an operation that has weights.
    """

    op: Op
    inputs: tuple[int, ...]
    output: int
    free: tuple[int, ...]
    function: Function | None


class AnyStep(Protocol):
    """What `run_steps` needs of a step. `Step` has it, and other kinds of steps may have more."""

    @property
    def inputs(self) -> tuple[int, ...]:
        """Slots that it reads."""

    @property
    def output(self) -> int:
        """Slot that it writes."""

    @property
    def free(self) -> tuple[int, ...]:
        """Slots that nobody reads afterwards."""

    @property
    def function(self) -> Function | None:
        """What to call; None for an operation that has weights."""


StepType = TypeVar("StepType", bound=AnyStep)


def plan(graph: Graph) -> tuple[Step, ...]:
    """Return a step for every operation of a graph but its input, in order; slot i holds the result of operation i.

    An activation works in place where nothing else reads its input.
    """
    slot = {op.name: index for index, op in enumerate(graph.ops)}
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.inputs}
    readers = Counter(name for op in graph.ops for name in op.inputs)
    return tuple(
        Step(
            op=op,
            inputs=tuple(slot[name] for name in op.inputs),
            output=index,
            free=tuple(slot[name] for name in set(op.inputs) if last_use[name] == index),
            function=_function(op, in_place=readers[op.inputs[0]] == 1),
        )
        for index, op in enumerate(graph.ops[1:], start=1)
    )


def _function(op: Op, *, in_place: bool) -> Function | None:
    if op.kind == "act":
        forms = torch_forms(op.activation)
        return forms.in_place if in_place and forms.in_place is not None else forms.function
    return _PLAIN.get(op.kind)


def run_steps(
    steps: Sequence[StepType], x: Tensor, layer: Callable[[Tensor, StepType], Tensor], *, first: int = 0
) -> Tensor:
    """Run steps one after the other, and return the result of the last one.

    Args:
        steps: In an order in which every slot is written before it is read.
        x: What lies in slot `first` at the beginning.
        layer: Runs a step that has weights, on the value of its only input.
        first: The slot of `x`.
    """
    slots = {first: x}
    for step in steps:
        if step.function is None:
            slots[step.output] = layer(slots[step.inputs[0]], step)
        else:
            slots[step.output] = step.function(*[slots[index] for index in step.inputs])
        for index in step.free:
            slots.pop(index, None)
    return slots[steps[-1].output]
