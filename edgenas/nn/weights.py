"""The weights contract: which arrays a graph needs, and whether given ones fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgenas.arch.graph import Graph
from edgenas.errors import WeightsError, explain

Weights = dict[str, NDArray[np.float32]]
"""Arrays by name: `{op}.weight`, `{op}.bias`, `{op}.norm.weight|bias|running_mean|running_var`."""

NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def weight_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of all weights of a graph, in the order of its operations.

    A convolution's weight is (out, in / groups, kernel, kernel), a fully connected one's (out, in). A convolution
    with batch norm has four vectors (out,) under `norm`, every other weighted operation a bias (out,).
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for op, sources in graph.with_inputs():
        out = op.shape.channels
        if op.kind == "conv":
            shapes[f"{op.name}.weight"] = (out, sources[0].shape.channels // op.groups, op.kernel, op.kernel)
        elif op.kind == "fc":
            shapes[f"{op.name}.weight"] = (out, sources[0].shape.elements)
        if op.kind == "conv" and op.norm:
            shapes.update({f"{op.name}.norm.{part}": (out,) for part in NORM_PARTS})
        elif op.weighted:
            shapes[f"{op.name}.bias"] = (out,)
    return shapes


def check_weights(graph: Graph, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that weights are exactly those that a graph needs.

    Args:
        graph: The graph.
        weights: Arrays by name.

    Raises:
        WeightsError: An array is missing, superfluous, of another shape, or not finite; names the first such layer.
    """
    shapes = weight_shapes(graph)
    for name, shape in shapes.items():
        if name not in weights:
            raise _misfit(f"layer {_layer(name)} has no weights: {name} is missing")
        if tuple(weights[name].shape) != shape:
            raise _misfit(f"layer {_layer(name)}: {name} has another shape", tuple(weights[name].shape), shape)
        if not np.isfinite(weights[name]).all():
            raise WeightsError(explain(f"layer {_layer(name)}: {name} holds values that are not finite"))
    superfluous = sorted(set(weights) - set(shapes))
    if superfluous:
        raise _misfit(f"the network has no layer for {superfluous[0]} ({len(superfluous)} such arrays)")


def _layer(name: str) -> str:
    return name.rpartition(".")[0].removesuffix(".norm")


def _misfit(what: str, got: object = None, allowed: object = None) -> WeightsError:
    return WeightsError(explain(what, got=got, allowed=allowed, remedy="These are the weights of another network."))
