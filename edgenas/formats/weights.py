"""Random weights, for latency files and for tests."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph
from edgenas.arch.weights import Weights, op_weight_shapes


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
