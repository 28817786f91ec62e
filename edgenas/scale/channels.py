"""Which channels of a narrowed layer stay, and the weights of the narrowed network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgenas.arch.graph import Graph, Op
from edgenas.errors import WeightsError, explain
from edgenas.scale.layers import Layer

WeightArray = NDArray[np.float32]
Index = NDArray[np.int64]
_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def _take(weights: Mapping[str, WeightArray], name: str) -> WeightArray:
    if name not in weights:
        raise WeightsError(explain("weights are not this network's", got=f"no {name!r}"))
    return weights[name]


def importance(graph: Graph, weights: Mapping[str, WeightArray], producer: str) -> NDArray[np.float64]:
    """Norm of each filter of one operation as it acts, its batch norm folded in (Yang 2018, section 3.3).

    The plain norm of the weights is meaningless before a batch norm, which cancels any scale.

    Args:
        graph: The network's graph.
        weights: Its weights.
        producer: A convolution or fully connected layer.

    Returns:
        One value for each of its channels.

    Raises:
        WeightsError: The weights are not this network's.
    """
    kernel = _take(weights, f"{producer}.weight").astype(np.float64)
    norms = np.sqrt((kernel.reshape(len(kernel), -1) ** 2).sum(axis=1))
    if graph.by_name()[producer].norm:
        scale = _take(weights, f"{producer}.norm.weight").astype(np.float64)
        variance = _take(weights, f"{producer}.norm.running_var").astype(np.float64)
        norms *= np.abs(scale) / np.sqrt(variance + graph.norm_eps)
    return np.asarray(norms)


def kept_channels(graph: Graph, weights: Mapping[str, WeightArray], layer: Layer, channels: int) -> Index:
    """Choose the channels of a layer that stay: those with the largest importance, summed over its producers.

    Each producer's importances are first divided by their mean, so that none dominates the others.

    Args:
        graph: The network's graph before narrowing.
        weights: Its weights.
        layer: The layer.
        channels: How many stay.

    Returns:
        Their numbers, ascending.

    Raises:
        WeightsError: The weights are not this network's.
    """
    total = np.zeros(layer.channels)
    for producer in layer.producers:
        found = importance(graph, weights, producer)
        if len(found) != layer.channels:
            raise WeightsError(
                explain(f"weights are not this network's: {producer}", got=len(found), allowed=layer.channels)
            )
        total += found / max(float(found.mean()), np.finfo(np.float64).tiny)
    return np.sort(np.argsort(-total, kind="stable")[:channels]).astype(np.int64)


def narrowed_weights(
    graph: Graph, weights: Mapping[str, WeightArray], kept: Mapping[str, Index]
) -> dict[str, WeightArray]:
    """Take the weights of a narrowed network out of those of the network before.

    Args:
        graph: The graph before narrowing.
        weights: Its weights.
        kept: For each narrowed operation the channels that stay; operations that hand channels on (depthwise,
            activation, pooling, addition) follow those that feed them.

    Returns:
        The weights of the same operations, fewer channels each; copies.

    Raises:
        WeightsError: A weight is missing.
    """
    channels: dict[str, Index] = {graph.input.name: np.arange(graph.input.shape.channels)}
    result: dict[str, WeightArray] = {}
    for op, sources in graph.with_inputs():
        if op.kind == "input":
            continue
        coming = channels[sources[0].name]
        own = op.kind == "fc" or (op.kind == "conv" and not op.depthwise)
        stays = kept.get(op.name, np.arange(op.shape.channels)) if own else coming
        # Operands of a multiplication or addition must keep the same channels.
        if op.name.endswith(".excite"):
            stays = channels[_scaled_by(graph, op)]
        channels[op.name] = stays
        if op.weighted:
            result.update(_sliced(op, weights, stays, coming if own else None))
    return result


def _scaled_by(graph: Graph, excite: Op) -> str:
    """Name of the feature map that a squeeze-and-excitation scales."""
    scale = graph.by_name()[f"{excite.block}.scale"]
    return scale.inputs[0]


def _sliced(
    op: Op, weights: Mapping[str, WeightArray], stays: Index, coming: Index | None
) -> dict[str, WeightArray]:
    kernel = _take(weights, f"{op.name}.weight")[stays]
    found = {f"{op.name}.weight": kernel if coming is None else kernel[:, coming]}
    if op.norm:
        for part in _NORM_PARTS:
            name = f"{op.name}.norm.{part}"
            found[name] = _take(weights, name)[stays]
    else:
        found[f"{op.name}.bias"] = _take(weights, f"{op.name}.bias")[stays]
    return found
