"""The weights contract: which arrays a graph needs, and whether given ones fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgenas.arch.graph import Graph, Op
from edgenas.errors import WeightsError, explain, nearest

Weights = dict[str, NDArray[np.float32]]
"""Arrays by name: `{op}.weight`, `{op}.bias`, `{op}.norm.weight|bias|running_mean|running_var`."""

NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def op_weight_shapes(op: Op, sources: tuple[Op, ...]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays of one operation.

    Args:
        op: The operation.
        sources: The operations that feed it.

    Returns:
        `{name}.weight` (out, in / groups, k, k) of a convolution or (out, in) of a fully connected layer, then
        `{name}.bias` or the four `{name}.norm.*`, each (out,). Empty for operations without weights.
    """
    if not op.weighted:
        return {}
    outputs, inputs = op.shape.channels, sources[0].shape
    if op.kind == "fc":
        return {f"{op.name}.weight": (outputs, inputs.elements), f"{op.name}.bias": (outputs,)}
    shapes: dict[str, tuple[int, ...]] = {
        f"{op.name}.weight": (outputs, inputs.channels // op.groups, op.kernel, op.kernel)
    }
    vectors = [f"norm.{part}" for part in NORM_PARTS] if op.norm else ["bias"]
    return shapes | {f"{op.name}.{vector}": (outputs,) for vector in vectors}


def weight_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all arrays that a graph needs, in execution order.

    Args:
        graph: The network.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for op, sources in graph.with_inputs():
        shapes.update(op_weight_shapes(op, sources))
    return shapes


def check_weights(graph: Graph, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that the arrays are exactly those that the graph needs.

    Args:
        graph: The network.
        weights: Its arrays by name.

    Raises:
        WeightsError: An array is missing, superfluous, of another shape, or not finite; names the first such layer.
    """
    expected = weight_shapes(graph)
    for name, shape in expected.items():
        if name not in weights:
            hint = nearest(name, weights)
            raise _misfit(f"layer {_layer(name)} has no weights: {name} is missing{hint}")
        if np.shape(weights[name]) != shape:
            raise _misfit(f"layer {_layer(name)}: {name} has another shape", np.shape(weights[name]), shape)
        if not np.isfinite(weights[name]).all():
            raise WeightsError(explain(f"layer {_layer(name)}: {name} holds values that are not finite"))
    superfluous = sorted(set(weights) - set(expected))
    if superfluous:
        raise _misfit(f"the network has no layer for {superfluous[0]} ({len(superfluous)} such arrays)")


def _layer(name: str) -> str:
    return name.rpartition(".")[0].removesuffix(".norm")


def _misfit(what: str, got: object = None, allowed: object = None) -> WeightsError:
    return WeightsError(explain(what, got=got, allowed=allowed, remedy="These are the weights of another network."))
