"""The arithmetic of int8: affine parameters of activations, per-channel weights, ranges without images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph
from edgenas.arch.activations import activation
from edgenas.errors import ExportError, explain
from edgenas.formats.fold import FoldedOp
from edgenas.formats.uniform import distinct, spread

Range = tuple[float, float]
Ranges = Mapping[str, Range]
# The step of a value that is always 0. Products of two such steps are still far above the smallest float32.
_MIN_STEP = 1e-12


class Affine(NamedTuple):
    """Parameters of one activation: real = step * (code - zero), codes 0..255 (subtract 128 for signed)."""

    step: float
    zero: int


def affine(bounds: Range, *, step: float = _MIN_STEP) -> Affine:
    """Choose the parameters that cover a range with 256 codes, zero being exact.

    Args:
        bounds: Smallest and largest value; widened to hold 0.
        step: Smallest step to take.
    """
    low, high = min(float(bounds[0]), 0.0), max(float(bounds[1]), 0.0)
    step = max((high - low) / 255, step)
    return Affine(float(np.float32(step)), int(np.clip(round(-low / step), 0, 255)))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisedLayer:
    """Integer arrays of one conv or fc.

    Attributes:
        weight: int8, the shape of the float weight; symmetric, one step for each output channel.
        weight_steps: (out,) float32.
        bias: (out,) int32 in units of `bias_steps`.
        bias_steps: (out,) float32, weight step times input step.
    """

    weight: NDArray[np.int8]
    weight_steps: NDArray[np.float32]
    bias: NDArray[np.int32]
    bias_steps: NDArray[np.float32]


def quantise_layer(op: FoldedOp, input_step: float, output_step: float, *, limit: int = 127) -> QuantisedLayer:
    """Quantise the weights of a conv or fc: symmetric, one step for each output channel.

    Two kinds of channels get a larger step: those whose bias would not fit into 32 bits, and those whose requantisation
    factor would be below the range of the runtimes (2^-31 and up). The weights of such channels hardly matter.

    Args:
        op: The layer.
        input_step: Step of its input's codes.
        output_step: Step of its output's codes.
        limit: Largest weight code of the format.
    """
    weight, bias = op.arrays
    steps = weight_steps(op, input_step, output_step, limit=limit)
    column = steps.reshape(-1, *[1] * (weight.ndim - 1))
    bias_steps = (steps * np.float32(input_step)).astype(np.float32)
    codes = np.clip(np.round(distinct(weight) / column), -limit, limit).astype(np.int8)
    return QuantisedLayer(
        weight=spread(codes, weight.shape),
        weight_steps=steps,
        bias=np.round(bias.astype(np.float64) / bias_steps).astype(np.int32),
        bias_steps=bias_steps,
    )


def weight_steps(op: FoldedOp, input_step: float, output_step: float, *, limit: int = 127) -> NDArray[np.float32]:
    """Steps of the weights alone, (out,); see `quantise_layer`."""
    weight, bias = op.arrays
    rows = np.abs(distinct(weight).reshape(len(weight), -1)).max(axis=1).astype(np.float64)
    steps = np.maximum(rows / limit, np.abs(bias) / input_step / 2**30)
    return np.maximum(steps, output_step / input_step * 2.0**-31).astype(np.float32)


def range_of(op: FoldedOp, ranges: Ranges) -> Range:
    """Range of a folded value from the calibrated ranges of the original graph.

    Args:
        op: The folded operation.
        ranges: Smallest and largest value by name of the original operation.

    Raises:
        ExportError: The range is missing or not finite.
    """
    if op.source not in ranges:
        raise ExportError(
            explain(f"no calibrated range for {op.source}", remedy="Calibrate again with this architecture.")
        )
    low, high = ranges[op.source]
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise ExportError(explain(f"the calibrated range of {op.source} is not one", got=(low, high)))
    if op.op.weighted and op.activation:
        # The saturation of the codes does the work of ReLU, so the range must start at 0.
        low, high = 0.0, max(high, 0.0)
    return low * op.scale, high * op.scale


def synthetic_ranges(graph: Graph) -> dict[str, Range]:
    """Ranges without images, for files whose latency alone matters (it does not depend on them).

    Args:
        graph: The network.
    """
    rng = np.random.default_rng(0)
    ranges: dict[str, Range] = {}
    for op in graph.ops:
        high = float(rng.uniform(2, 8))
        row = activation(op.activation) if op.activation else None
        ranges[op.name] = (
            -high if row is None or row.low is None else row.low,
            high if row is None or row.high is None else row.high,
        )
    return ranges
