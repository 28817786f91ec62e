"""Weights for files that are only timed: scaled noise that keeps the magnitude of activations.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph
from edgenas.arch.weights import Weights, op_weight_shapes

# Chosen, not measured: random numbers that are drawn once and repeated.
_STOCK = 1 << 18


@cache
def _stock() -> NDArray[np.float32]:
    found = np.random.default_rng(0).standard_normal(_STOCK, dtype=np.float32)
    found.setflags(write=False)
    return found


def filler_weights(graph: Graph) -> Weights:
    """Fill a network with noise, twenty times faster than drawing it anew; a build writes a hundred networks.

    A latency does not depend on the values as long as none is denormal. Weights have variance gain / fan-in (He 2015),
    so that activations do not vanish from layer to layer. Norms are near the identity.

    Args:
        graph: The network.

    Returns:
        Float32 arrays under the names of `weight_shapes`.
    """
    activated = {op.inputs[0] for op in graph.ops if op.kind == "act"}
    weights: Weights = {}
    for op, sources in graph.with_inputs():
        for name, shape in op_weight_shapes(op, sources).items():
            weights[name] = _fill(name, shape, gain=2.0 if op.name in activated else 1.0)
    return weights


def _fill(name: str, shape: tuple[int, ...], *, gain: float) -> NDArray[np.float32]:
    noise = np.resize(_stock(), shape)
    if len(shape) > 1:
        noise *= np.float32(math.sqrt(gain / math.prod(shape[1:])))
    elif name.endswith(("norm.weight", "running_var")):
        noise = np.float32(0.8) + np.float32(0.1) * np.abs(noise)
    else:
        noise *= np.float32(0.05)
    return noise
