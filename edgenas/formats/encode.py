"""One call from a graph and its weights to the bytes of a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph
from edgenas.errors import ExportError, explain, nearest
from edgenas.formats.fold import fold
from edgenas.formats.names import FileFormat, Precision
from edgenas.formats.quantise import Ranges, synthetic_ranges

# The first scheme of a format is its default, the one that latency tables measure.
SCHEMES: dict[str, tuple[str, ...]] = {"onnx": ("qdq_u8s8", "qdq_s8s8"), "tflite": ("int8", "int8_io")}


def encode(
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    *,
    file_format: FileFormat = "onnx",
    precision: Precision = "fp32",
    ranges: Ranges | None = None,
    scheme: str | None = None,
    float_ops: Collection[str] = (),
    batch: int | None = 1,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Write a network as an ONNX or TFLite file.

    Args:
        graph: The network.
        weights: Its arrays under the names of `weight_shapes`.
        file_format: `onnx` (NCHW) or `tflite` (NHWC).
        precision: `fp32`; `fp16`; or `int8`.
        ranges: int8: smallest and largest value of each operation; None for ranges without images, which give
            the same nodes and the same latency but no accuracy.
        scheme: int8: one of `SCHEMES[file_format]`. `qdq_u8s8` unsigned activations (x86), `qdq_s8s8` signed
            (Arm); `int8` float32 input and logits, `int8_io` integer ones.
        float_ops: int8: names of operations that stay in floating point.
        batch: Images a run; None for any number (onnx only).
        metadata: Text stored in the file.

    Returns:
        The file. Input `image`, output `logits`.

    Raises:
        ExportError: The combination is not one, or a range is missing.
        WeightsError: The weights do not fit the graph.
    """
    _check(graph, file_format, precision, scheme, float_ops, batch)
    scheme = scheme or SCHEMES[file_format][0]
    known = (ranges if ranges is not None else synthetic_ranges(graph)) if precision == "int8" else None
    if file_format == "onnx":
        return _onnx(graph, weights, precision, known, scheme, float_ops, batch, metadata or {})
    return _tflite(graph, weights, precision, known, scheme, float_ops, batch or 1, metadata or {})


def _onnx(
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    precision: str,
    ranges: Ranges | None,
    scheme: str,
    float_ops: Collection[str],
    batch: int | None,
    metadata: Mapping[str, str],
) -> bytes:
    from edgenas.formats.onnx_float import write_onnx
    from edgenas.formats.onnx_int8 import write_onnx_int8

    folded = fold(graph, weights, gate="clip")
    if ranges is None:
        return write_onnx(folded, half=precision == "fp16", batch=batch, metadata=metadata)
    return write_onnx_int8(
        folded, ranges=ranges, signed=scheme == "qdq_s8s8", float_ops=float_ops, batch=batch, metadata=metadata
    )


def _tflite(
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    precision: str,
    ranges: Ranges | None,
    scheme: str,
    float_ops: Collection[str],
    batch: int,
    metadata: Mapping[str, str],
) -> bytes:
    from edgenas.formats.tflite import write_tflite

    integer = {op.name for op in graph.ops} - set(float_ops) if ranges is not None else set()
    return write_tflite(
        fold(graph, weights, gate="relu6", late_factors=integer),
        weight_form="fp16" if precision == "fp16" else "fp32",
        ranges=ranges,
        float_ops=float_ops,
        integer_io=scheme == "int8_io",
        batch=batch,
        metadata={name: text.encode() for name, text in metadata.items()},
    )


def _check(
    graph: Graph,
    file_format: str,
    precision: str,
    scheme: str | None,
    float_ops: Collection[str],
    batch: int | None,
) -> None:
    def require(value: str, what: str, allowed: tuple[str, ...]) -> None:
        if value not in allowed:
            raise ExportError(
                explain(f"unknown {what}{nearest(value, allowed)}", got=repr(value), allowed=", ".join(allowed))
            )

    require(file_format, "file format", tuple(SCHEMES))
    require(precision, "precision", ("fp32", "fp16", "int8"))
    if scheme is not None:
        require(scheme, f"int8 scheme of {file_format}", SCHEMES[file_format])
    if batch is None and file_format == "tflite":
        raise ExportError(explain("a TFLite file has a fixed batch", got=None, allowed="a positive number"))
    if batch is not None and batch < 1:
        raise ExportError(explain("the batch must be positive", got=batch))
    unknown = set(float_ops) - {op.name for op in graph.ops}
    if unknown:
        raise ExportError(explain("float_ops names operations that the network lacks", got=sorted(unknown)[0]))
