"""An estimate of the memory that a TFLite runtime plans for a graph, without writing its file.

It follows what the writer of TFLite files makes of an operation: a padded copy, an activation of its own, a gate. It
counts what is alive at once and no gaps between it. So it is made for whole populations;
`edgenas.formats.arena.arena_bytes` is the plan itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from edgenas.arch.activations import activation
from edgenas.arch.graph import Graph, Op
from edgenas.arch.padding import same_padding
from edgenas.cost.memory import ELEMENT_BYTES

_GATED = ("hard_swish", "hard_sigmoid", "silu")
"""Activations that are more than one operator, in int8 at least."""


@dataclass(slots=True)
class _Steps:
    """Operators in order.

    Attributes:
        reads: What each reads.
        writes: What each writes, and its values.
        scratch: Values that each needs besides.
    """

    reads: list[tuple[str, ...]] = field(default_factory=list)
    writes: list[tuple[str, int]] = field(default_factory=list)
    scratch: list[int] = field(default_factory=list)

    def add(self, name: str, elements: int, reads: tuple[str, ...], *, scratch: int = 0) -> None:
        """Append one."""
        self.reads.append(reads)
        self.writes.append((name, elements))
        self.scratch.append(scratch)


def planned_bytes(graph: Graph, precision: str = "fp32", *, in_place: bool = False, patches: bool = False) -> int:
    """Estimate the memory planned for activations of one image, bytes.

    Args:
        graph: The network, or a part of it behind an input.
        precision: `fp32`, or `int8` with integer input and logits.
        in_place: Whether sums and products overwrite an input that nothing else reads (LiteRT).
        patches: Whether convolutions copy the patches under their kernel first (LiteRT's own kernels).
    """
    steps = _steps(graph, precision, patches)
    sizes = dict(steps.writes)
    roots = _in_place(steps, sizes) if in_place else {}
    last: dict[str, int] = {}
    for index, reads in enumerate(steps.reads):
        last |= {roots.get(name, name): index for name in reads}
    last[roots.get(steps.writes[-1][0], steps.writes[-1][0])] = len(steps.writes)
    alive: dict[str, int] = {}
    peak = 0
    for index, (name, elements) in enumerate(steps.writes):
        alive.setdefault(roots.get(name, name), elements)
        peak = max(peak, sum(alive.values()) + steps.scratch[index])
        for done in {roots.get(read, read) for read in steps.reads[index]}:
            if last[done] <= index:
                alive.pop(done, None)
    return peak * ELEMENT_BYTES[precision]


def _steps(graph: Graph, precision: str, patches: bool) -> _Steps:
    steps, alias, by_name = _Steps(), dict[str, str](), graph.by_name()
    readers = _readers(graph)
    for op in graph.ops:
        inputs = tuple(alias.get(name, name) for name in op.inputs)
        elements = op.shape.elements
        if op.kind == "act":
            source = by_name[op.inputs[0]]
            if source.weighted and len(readers[op.inputs[0]]) == 1 and activation(op.activation).fused:
                alias[op.name] = inputs[0]
                continue
            if op.activation in _GATED and (precision == "int8" or op.activation != "hard_swish"):
                gate = f"{op.name}.gate"
                steps.add(gate, elements, inputs)
                steps.add(op.name, elements, (gate,) if op.activation == "hard_sigmoid" else (*inputs, gate))
                continue
        scratch = 0
        if op.kind == "conv":
            source = by_name[op.inputs[0]]
            padded = _padded_elements(op, source)
            if padded:
                steps.add(f"{op.name}.pad", padded, inputs)
                inputs = (f"{op.name}.pad",)
            if patches and not op.depthwise and (op.kernel > 1 or op.stride > 1):
                scratch = op.shape.height * op.shape.width * op.kernel**2 * source.shape.channels
        steps.add(op.name, elements, inputs, scratch=scratch)
    return steps


def _padded_elements(op: Op, source: Op) -> int:
    """Values of the padded copy that a convolution reads; 0 where its padding is SAME, or none."""
    top, left, bottom, right = op.padding
    vertical = same_padding(source.shape.height, op.kernel, op.stride)
    horizontal = same_padding(source.shape.width, op.kernel, op.stride)
    if not any(op.padding) or (top, left, bottom, right) == (vertical[0], horizontal[0], vertical[1], horizontal[1]):
        return 0
    return source.shape.channels * (source.shape.height + top + bottom) * (source.shape.width + left + right)


def _readers(graph: Graph) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for op in graph.ops:
        for name in op.inputs:
            found.setdefault(name, []).append(op.name)
    return found


def _in_place(steps: _Steps, sizes: Mapping[str, int]) -> dict[str, str]:
    """From each result that overwrites an input to the value that owns the memory."""
    counts: dict[str, int] = {}
    for name in chain.from_iterable(steps.reads):
        counts[name] = counts.get(name, 0) + 1
    roots: dict[str, str] = {}
    for reads, (name, elements) in _joins(steps):
        for read in reads:
            if counts[read] == 1 and sizes[read] == elements and read != steps.writes[0][0]:
                roots[name] = roots.get(read, read)
                break
    return roots


def _joins(steps: _Steps) -> Iterator[tuple[tuple[str, ...], tuple[str, int]]]:
    """The sums and products: what reads two values, and the products of gates."""
    for reads, write in zip(steps.reads, steps.writes, strict=True):
        if len(reads) == 2:
            yield reads, write
