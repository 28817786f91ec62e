"""Peak activation memory of a graph, from the lifetimes of its tensors."""

from __future__ import annotations

from edgenas.arch.graph import Graph

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}


def live_elements(graph: Graph) -> tuple[int, ...]:
    """Return for every operation how many activation values are alive while it runs.

    Alive are its result, its inputs, and every earlier result that a later operation still reads. An
    activation function works in place, as every runtime fuses it or reuses its buffer.

    Args:
        graph: The graph; its execution order is the order of its operations.

    Returns:
        One count per operation, for one image.
    """
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.inputs}
    last_use[graph.output.name] = len(graph.ops)
    alive: dict[str, int] = {}
    counts = []
    for index, op in enumerate(graph.ops):
        if op.kind == "act" and last_use[op.inputs[0]] == index:
            alive.pop(op.inputs[0])
        alive[op.name] = op.shape.elements
        counts.append(sum(alive.values()))
        for name in op.inputs:
            if last_use[name] <= index:
                alive.pop(name, None)
    return tuple(counts)


def peak_activation_bytes(graph: Graph, precision: str = "fp32") -> int:
    """Peak memory of activations for one image, bytes: a lower bound of what a runtime's arena needs.

    Args:
        graph: The graph.
        precision: One of `ELEMENT_BYTES`.
    """
    return max(live_elements(graph)) * ELEMENT_BYTES[precision]
