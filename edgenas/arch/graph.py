"""The typed list of operations that an architecture lowers to: the one description behind every back end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edgenas.arch.padding import NO_PADDING, Padding

OpKind = Literal["input", "conv", "act", "pool", "mul", "add", "fc"]


class TensorShape(NamedTuple):
    """Shape of one activation without its batch axis; a fully connected result is (C, 1, 1)."""

    channels: int
    height: int
    width: int

    @property
    def elements(self) -> int:
        """Number of values for one image."""
        return self.channels * self.height * self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation. It produces one tensor, which carries the operation's name.

    Attributes:
        kind: `conv` (full, 1x1 or depthwise; followed by batch norm where `norm`), `act`, `pool` (global
            average to 1 x 1), `mul` (feature map times a (C, 1, 1) gate), `add`, `fc`, `input`.
        name: Unique, dotted (`stages.2.0.depthwise`); weights of a `conv` or `fc` are stored under it.
        inputs: Names of the operations whose results it takes, in order.
        shape: Shape of its result.
        kernel, stride, groups, padding: Of a `conv`; depthwise where `groups` equals the channels and > 1.
        norm: Whether batch norm follows the `conv` (which then has no bias); else it has a bias.
        activation: Of an `act`: one of `ACTIVATIONS` or `GATES` (`edgenas.arch.activations`); else empty.
        block: Which part of the architecture it belongs to: `stem`, `stages.2.0`, `head`; empty for the input.
    """

    kind: OpKind
    name: str
    inputs: tuple[str, ...] = ()
    shape: TensorShape
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    padding: Padding = NO_PADDING
    norm: bool = False
    activation: str = ""
    block: str = ""

    @property
    def depthwise(self) -> bool:
        """Whether this is a depthwise convolution."""
        return self.kind == "conv" and self.groups > 1

    @property
    def weighted(self) -> bool:
        """Whether the operation owns weights."""
        return self.kind in ("conv", "fc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Operations in execution order; the first is the input, the last the logits.

    Attributes:
        ops: The operations; every input of one stands before it.
        norm_eps: Epsilon of every batch norm.
    """

    ops: tuple[Op, ...]
    norm_eps: float

    def by_name(self) -> Mapping[str, Op]:
        """Return the operations by name."""
        return {op.name: op for op in self.ops}

    def with_inputs(self) -> Iterator[tuple[Op, tuple[Op, ...]]]:
        """Yield each operation with the operations that feed it, in order."""
        known: dict[str, Op] = {}
        for op in self.ops:
            known[op.name] = op
            yield op, tuple(known[name] for name in op.inputs)

    @property
    def input(self) -> Op:
        """The input."""
        return self.ops[0]

    @property
    def output(self) -> Op:
        """The logits."""
        return self.ops[-1]
