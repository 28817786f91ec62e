"""Closed-form counts of a graph: multiply-accumulates, parameters, activation memory.

What a FLOP is here: one multiply-accumulate of a convolution or a fully connected layer, as in fvcore and in
the papers' tables. Biases, batch norm, activations, pooling and element-wise work are not counted. To leave no
doubt the names say `macs`.
"""

from __future__ import annotations

from edgenas.arch.graph import Graph, Op


def op_macs(op: Op, sources: tuple[Op, ...]) -> int:
    """Multiply-accumulates of one operation for one image.

    Args:
        op: The operation.
        sources: The operations that feed it.
    """
    if op.kind == "conv":
        return op.shape.elements * (sources[0].shape.channels // op.groups) * op.kernel**2
    if op.kind == "fc":
        return op.shape.elements * sources[0].shape.elements
    return 0


def op_params(op: Op, sources: tuple[Op, ...]) -> int:
    """Trainable parameters of one operation: weights, and a bias or the two vectors of its batch norm.

    Args:
        op: The operation.
        sources: The operations that feed it.
    """
    if op.kind == "conv":
        weights = op.shape.channels * (sources[0].shape.channels // op.groups) * op.kernel**2
        return weights + op.shape.channels * (2 if op.norm else 1)
    if op.kind == "fc":
        return op.shape.elements * (sources[0].shape.elements + 1)
    return 0


def macs(graph: Graph) -> int:
    """Multiply-accumulates of a graph for one image."""
    return sum(op_macs(op, sources) for op, sources in graph.with_inputs())


def params(graph: Graph) -> int:
    """Trainable parameters of a graph (running statistics of batch norm are not parameters)."""
    return sum(op_params(op, sources) for op, sources in graph.with_inputs())
