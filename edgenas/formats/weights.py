"""Weights as a flat dictionary of numpy arrays: which ones a graph needs, and random ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph, Op
from edgenas.errors import WeightsError, explain, nearest

Weights = dict[str, NDArray[np.float32]]
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
    """Names and shapes of all arrays that a graph needs, in execution order."""
    shapes: dict[str, tuple[int, ...]] = {}
    for op, sources in graph.with_inputs():
        shapes.update(op_weight_shapes(op, sources))
    return shapes


def check_weights(graph: Graph, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that the arrays are exactly those that the graph needs.

    Args:
        graph: The network.
        weights: Its arrays.

    Raises:
        WeightsError: An array is missing, left over, of another shape, or not finite; the layer is named.
    """
    expected = weight_shapes(graph)
    for name, shape in expected.items():
        if name not in weights:
            raise WeightsError(
                explain(
                    f"the weights have no {name}{nearest(name, weights)}",
                    remedy="They belong to another architecture or are incomplete.",
                )
            )
        found = np.shape(weights[name])
        if found != shape:
            raise WeightsError(
                explain(
                    f"{name} has another shape than the architecture needs",
                    got=found,
                    allowed=shape,
                    remedy="The weights belong to another architecture.",
                )
            )
        if not np.isfinite(weights[name]).all():
            raise WeightsError(explain(f"{name} holds values that are not finite"))
    extra = [name for name in weights if name not in expected]
    if extra:
        raise WeightsError(
            explain(
                f"{len(extra)} arrays do not belong to the architecture, the first is {extra[0]}",
                remedy="The weights belong to another architecture.",
            )
        )


def random_weights(graph: Graph, rng: np.random.Generator) -> Weights:
    """Draw weights that keep the magnitude of activations about constant through the network.

    Normal with variance gain / fan-in (He 2015), gain 2 before an activation and 1 elsewhere; norms near the
    identity. For latency files and for tests: nothing is learned here.

    Args:
        graph: The network.
        rng: Source of randomness.

    Returns:
        Float32 arrays under the names of `weight_shapes`.
    """
    activated = {op.inputs[0] for op in graph.ops if op.kind == "act"}
    weights: Weights = {}
    for op, sources in graph.with_inputs():
        for name, shape in op_weight_shapes(op, sources).items():
            weights[name] = _draw(name, shape, 2.0 if op.name in activated else 1.0, rng)
    return weights


def _draw(name: str, shape: tuple[int, ...], gain: float, rng: np.random.Generator) -> NDArray[np.float32]:
    if len(shape) > 1:
        values = rng.standard_normal(shape, dtype=np.float32) * math.sqrt(gain / math.prod(shape[1:]))
    elif name.endswith("norm.weight") or name.endswith("running_var"):
        values = rng.uniform(0.8, 1.2, shape)
    else:
        values = rng.uniform(-0.1, 0.1, shape)
    return np.asarray(values, dtype=np.float32)
