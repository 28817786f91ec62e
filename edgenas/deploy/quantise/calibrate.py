"""Ranges of activations from images: record the float file's values, then choose the range of the codes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray

from edgenas.arch import Graph
from edgenas.errors import DataError, ExportError, explain, nearest
from edgenas.formats import Range, encode
from edgenas.formats.onnx_float import INPUT_NAME, OUTPUT_NAME
from edgenas.formats.quantise import affine
from edgenas.measure.engines.ort import OrtRuntime

Method = Literal["minmax", "percentile", "mse"]
METHODS: tuple[str, ...] = get_args(Method)
# Share of values on each side that the percentile method lets saturate.
TAIL = 1e-4
# Values kept of each activation of each image: 256 images then take about 1 MiB for each operation.
_KEPT = 1024
_BATCH = 8
_SHRINKS = np.linspace(1.0, 0.3, 29)
_MSE_VALUES = 32768


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observations:
    """What was seen of each value of the graph.

    Attributes:
        extremes: Smallest and largest value by operation.
        samples: A regular sample of the values by operation, (S,).
        images: How many images were run.
    """

    extremes: Mapping[str, Range]
    samples: Mapping[str, NDArray[np.float32]]
    images: int


def observe(
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    batches: Iterable[NDArray[np.float32]],
    *,
    progress: Callable[[int, int, str], None] | None = None,
    total: int = 0,
) -> Observations:
    """Run the float ONNX file with every value as an output.

    Args:
        graph: The network.
        weights: Its arrays.
        batches: Normalised training images (N, C, H, W), part by part.
        progress: Called with (images done, `total`, what).
        total: How many images `batches` holds.

    Raises:
        DataError: There are no images, or the network gives values that are not finite.
    """
    session, names = _watching_session(encode(graph, weights, batch=None))
    keys = {name: graph.output.name if name == OUTPUT_NAME else name for name in names}
    extremes: dict[str, Range] = {}
    kept: dict[str, list[NDArray[np.float32]]] = {key: [] for key in (graph.input.name, *keys.values())}
    images = 0
    for batch in batches:
        for start in range(0, len(batch), _BATCH):
            part = batch[start : start + _BATCH]
            values = dict(zip(keys.values(), session.run(names, {INPUT_NAME: part}), strict=True))
            for key, value in {graph.input.name: part, **values}.items():
                _record(key, value, extremes, kept)
            images += len(part)
            if progress is not None:
                progress(images, total, "calibrating")
    if not images:
        raise DataError(
            explain("there are no calibration images", got=0, remedy="int8 needs some training images; 256 are plenty.")
        )
    samples = {key: np.concatenate(parts) for key, parts in kept.items()}
    return Observations(extremes=extremes, samples=samples, images=images)


def _watching_session(data: bytes) -> tuple[Any, list[str]]:
    model = onnx.load_from_string(data)
    names = [node.output[0] for node in model.graph.node]
    given = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in given)
    return OrtRuntime().native(model.SerializeToString()), names


def _record(
    key: str, value: NDArray[np.float32], extremes: dict[str, Range], kept: dict[str, list[NDArray[np.float32]]]
) -> None:
    low, high = float(value.min()), float(value.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(explain(f"{key} takes values that are not finite", remedy="The weights or images are damaged."))
    if key in extremes:
        low, high = min(low, extremes[key][0]), max(high, extremes[key][1])
    extremes[key] = (low, high)
    flat = value.reshape(len(value), -1)
    stride = _stride(flat.shape[1], math.prod(value.shape[2:]))
    kept[key].append(flat[:, ::stride].ravel().copy())


def _stride(values: int, pixels: int) -> int:
    """Step that keeps about `_KEPT` values of an image and still meets every pixel.

    A step that divides the row length would see a few columns only, and columns at the border differ from the rest.
    """
    stride = max(1, values // _KEPT)
    while math.gcd(stride, pixels) > 1:
        stride += 1
    return stride


def ranges(observations: Observations, method: Method) -> dict[str, Range]:
    """Choose the range of each value.

    Args:
        observations: What was seen.
        method: `minmax` covers everything; `percentile` lets one value in ten thousand saturate on each side;
            `mse` takes the range with the least mean squared rounding and saturation error.

    Raises:
        ExportError: There is no such method.
    """
    if method not in METHODS:
        raise ExportError(
            explain(
                f"unknown calibration method{nearest(method, METHODS)}", got=repr(method), allowed=", ".join(METHODS)
            )
        )
    if method == "minmax":
        return dict(observations.extremes)
    choose = _percentile if method == "percentile" else _least_error
    return {key: choose(observations.samples[key], bounds) for key, bounds in observations.extremes.items()}


def _percentile(samples: NDArray[np.float32], bounds: Range) -> Range:
    low, high = np.quantile(samples, [TAIL, 1 - TAIL])
    return max(float(low), bounds[0]), min(float(high), bounds[1])


def _least_error(samples: NDArray[np.float32], bounds: Range) -> Range:
    # Every n-th of the sorted values has the same distribution, whatever their order was.
    every = max(1, len(samples) // _MSE_VALUES)
    values = np.sort(samples)[every // 2 :: every]
    losses = [_rounding_error(values, (bounds[0] * shrink, bounds[1] * shrink)) for shrink in _SHRINKS]
    best = float(_SHRINKS[int(np.argmin(losses))])
    return bounds[0] * best, bounds[1] * best


def _rounding_error(values: NDArray[np.float32], bounds: Range) -> float:
    step, zero = affine(bounds)
    codes = np.clip(np.round(values / np.float32(step)) + zero, 0, 255) - zero
    return float(np.mean((values - codes * np.float32(step)) ** 2))
