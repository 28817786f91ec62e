"""Units: the fused operations that a runtime executes. A table has one entry for each.

A unit is a convolution or fully connected layer with everything that follows it in place: its activation and
the addition of a residual. Pools and gate multiplications are units of their own. So are activations and additions that
cannot be fused into the operation before them. The runtime may need several kernels for one unit, such as a separate
hard-swish or a layout change before a pool. The entry is the time of all of them, in context.

The units of a block depend only on the operations of that block. So the blocks of a search space can be costed one by
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgenas.arch.graph import Graph, Op, TensorShape

UnitKind = Literal["pointwise", "conv", "depthwise", "fc", "pool", "mul", "act", "add"]
SourcedOps = Sequence[tuple[Op, tuple[Op, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One fused operation with everything its time depends on.

    Attributes:
        kind: `pointwise` is a 1x1 convolution on a feature map; on a single pixel it is an `fc`.
        source: Shape of its first input.
        result: Shape of its result.
        kernel, stride: Of a convolution.
        activation: Fused, or of an `act`; empty for none.
        residual: Whether an addition follows in place.
        gated: Whether its input comes from a squeeze-excite gate (it has left the blocked layout).
        pooled: Whether its result feeds a pool besides its main consumer.
        same: Whether it pads bottom and right more, as TensorFlow does. TFLite needs no PAD operation for that.
    """

    kind: UnitKind
    source: TensorShape
    result: TensorShape
    kernel: int = 1
    stride: int = 1
    activation: str = ""
    residual: bool = False
    gated: bool = False
    pooled: bool = False
    same: bool = False

    @property
    def key(self) -> str:
        """The unit as a short line, such as `depthwise k5 s2 96x112x112 96x56x56 relu`: the key of its entry."""
        words: list[str] = [self.kind]
        if self.kind in ("conv", "depthwise"):
            words.append(f"k{self.kernel}")
        if self.kind in ("conv", "depthwise", "pointwise"):
            words.append(f"s{self.stride}")
        words += ["x".join(map(str, self.source)), "x".join(map(str, self.result))]
        if self.activation:
            words.append(self.activation)
        words += [word for word in ("residual", "gated", "pooled", "same") if getattr(self, word)]
        return " ".join(words)

    @property
    def weights(self) -> int:
        """Number of weights, without bias."""
        if self.kind == "depthwise":
            return self.result.channels * self.kernel**2
        if self.kind in ("pointwise", "conv", "fc"):
            return self.result.channels * self.source.channels * self.kernel**2
        return 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.weights * self.result.height * self.result.width


def units(ops: SourcedOps) -> tuple[tuple[Unit, str], ...]:
    """Group the operations of one block, or of a whole graph, into units.

    Args:
        ops: (operation, the operations that feed it), in execution order; `Graph.with_inputs()` yields them.

    Returns:
        Each unit with the name of its first operation.
    """
    found: list[_Draft] = []
    owner: dict[str, _Draft] = {}
    readers = _readers(ops)
    for op, sources in ops:
        if op.kind == "input":
            continue
        draft = _host(op, owner, readers)
        if draft is None:
            draft = _Draft(op, sources)
            found.append(draft)
        else:
            draft.absorb(op)
        owner[op.name] = draft
    pooled = {name for op, _ in ops if op.kind == "pool" for name in op.inputs if len(readers.get(name, ())) > 1}
    return tuple((draft.unit(pooled=pooled), draft.first.name) for draft in found)


def graph_units(graph: Graph) -> tuple[tuple[Unit, str], ...]:
    """Return the units of a graph, in execution order, each with the name of its first operation."""
    return tuple(pair for block in by_block(graph) for pair in units(block))


def by_block(graph: Graph) -> tuple[tuple[tuple[Op, tuple[Op, ...]], ...], ...]:
    """Split a graph into its blocks: (operation, sources) pairs of the stem, each block, and the head."""
    blocks: dict[str, list[tuple[Op, tuple[Op, ...]]]] = {}
    for op, sources in graph.with_inputs():
        if op.kind != "input":
            blocks.setdefault(op.block, []).append((op, sources))
    return tuple(tuple(block) for block in blocks.values())


def _readers(ops: SourcedOps) -> dict[str, list[Op]]:
    readers: dict[str, list[Op]] = {}
    for op, _ in ops:
        for name in op.inputs:
            readers.setdefault(name, []).append(op)
    return readers


def _host(op: Op, owner: dict[str, _Draft], readers: dict[str, list[Op]]) -> _Draft | None:
    """The unit that `op` is fused into, or None."""
    if op.kind not in ("act", "add"):
        return None
    for name in op.inputs:
        draft = owner.get(name)
        if draft is not None and draft.last.name == name and len(readers[name]) == 1 and draft.takes(op):
            return draft
    return None


class _Draft:
    """A unit while its operations are collected."""

    def __init__(self, op: Op, sources: tuple[Op, ...]) -> None:
        self.first, self.last = op, op
        self.sources = sources
        self.activation = op.activation
        self.residual = False

    def takes(self, op: Op) -> bool:
        if self.first.kind not in ("conv", "fc") or self.residual:
            return False
        return not self.activation or op.kind == "add"

    def absorb(self, op: Op) -> None:
        self.last = op
        if op.kind == "add":
            self.residual = True
        else:
            self.activation = op.activation

    def _kind(self) -> UnitKind:
        op = self.first
        if op.kind == "conv":
            if op.depthwise:
                return "depthwise"
            if op.kernel > 1:
                return "conv"
            return "pointwise" if op.shape.height * op.shape.width > 1 else "fc"
        assert op.kind in ("fc", "pool", "mul", "act", "add"), op.kind
        return op.kind

    def unit(self, *, pooled: Iterable[str]) -> Unit:
        op = self.first
        kind = self._kind()
        return Unit(
            kind=kind,
            source=self.sources[0].shape,
            result=op.shape,
            kernel=op.kernel if kind in ("conv", "depthwise") else 1,
            stride=op.stride,
            activation=self.activation,
            residual=self.residual,
            gated=op.kind != "mul" and self.sources[0].kind == "mul",
            pooled=self.last.name in pooled,
            same=not op.padding.symmetric,
        )
