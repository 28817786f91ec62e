"""One call from a graph and its weights to the bytes of a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture, Graph
from edgenas.errors import ExportError, explain, nearest
from edgenas.formats.about import About
from edgenas.formats.foreign import guarded, require_installed
from edgenas.formats.quantise import Ranges, synthetic_ranges
from edgenas.formats.registry import FORMATS, Contents, FormatName, writer_of
from edgenas.latency.device import Precision


def encode(
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    *,
    file_format: FormatName = "onnx",
    precision: Precision = "fp32",
    ranges: Ranges | None = None,
    scheme: str | None = None,
    float_ops: Collection[str] = (),
    batch: int | None = 1,
    metadata: Mapping[str, str] | None = None,
    architecture: Architecture | None = None,
) -> bytes:
    """Write a network as a file.

    Args:
        graph: The network.
        weights: Its arrays under the names of `weight_shapes`.
        file_format: A name of `FORMATS`: `onnx` (NCHW), `tflite` (NHWC), one that another package writes.
        precision: `fp32`, `fp16` or `int8`; one of the format's.
        ranges: int8: smallest and largest value of each operation; None for ranges without images, which give
            the same nodes and the same latency but no accuracy.
        scheme: int8: one of the format's. `qdq_u8s8` unsigned activations (x86), `qdq_s8s8` signed
            (Arm); `int8` float32 input and logits, `int8_io` integer ones.
        float_ops: int8: names of operations that stay in floating point.
        batch: Images a run; None for any number, where the format has that.
        metadata: Text stored in the file.
        architecture: What the graph was lowered from. Formats that are made from a torch module need it.

    Returns:
        The file. Input `image`, output `logits`.

    Raises:
        ExportError: The combination is not one, a range is missing, or the package that writes the format is missing
            or refuses the network.
        WeightsError: The weights do not fit the graph.
    """
    contents = contents_of(
        graph,
        weights,
        file_format=file_format,
        precision=precision,
        ranges=ranges,
        scheme=scheme,
        float_ops=float_ops,
        batch=batch,
        metadata=metadata,
        architecture=architecture,
    )
    return write(file_format, contents)


def contents_of(
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    *,
    file_format: FormatName = "onnx",
    precision: Precision = "fp32",
    ranges: Ranges | None = None,
    scheme: str | None = None,
    float_ops: Collection[str] = (),
    batch: int | None = 1,
    metadata: Mapping[str, str] | None = None,
    architecture: Architecture | None = None,
    about: About | None = None,
) -> Contents:
    """Check and complete what a file is to hold; arguments as for `encode`, and names and units for other programs.

    Raises:
        ExportError: The combination is not one.
    """
    _check(graph, file_format, precision, scheme, float_ops, batch)
    integer = precision == "int8"
    return Contents(
        graph=graph,
        weights=weights,
        architecture=architecture,
        precision=precision,
        ranges=(ranges if ranges is not None else synthetic_ranges(graph)) if integer else None,
        scheme=FORMATS[file_format].scheme_of(precision, scheme) if integer else "",
        float_ops=float_ops if integer else (),
        batch=batch,
        metadata=metadata or {},
        about=about,
    )


def write(file_format: FormatName, contents: Contents) -> bytes:
    """Write a file.

    Args:
        file_format: A name of `FORMATS`.
        contents: From `contents_of`.

    Raises:
        ExportError: The package that writes the format is missing, refuses the network, or gives no file.
    """
    require_installed(file_format)
    with guarded(file_format, "refuses the network"):
        data = writer_of(file_format)(contents)
    if not isinstance(data, bytes) or not data:
        raise ExportError(explain(f"the writer of {file_format} files gave none", got=type(data).__name__))
    return data


def _check(
    graph: Graph,
    file_format: FormatName,
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

    kind = FORMATS[file_format]
    require(precision, f"precision of {file_format}", kind.precisions)
    if scheme is not None:
        require(scheme, f"int8 scheme of {file_format}", kind.schemes)
    if not kind.allows_batch(batch):
        what = f"{file_format} files have a fixed batch" if batch is None else "the batch must be positive"
        if batch is not None and batch > 1:
            what = f"{file_format} files take one image a run"
        raise ExportError(explain(what, got=repr(batch), allowed=kind.batches))
    unknown = set(float_ops) - {op.name for op in graph.ops}
    if unknown:
        raise ExportError(explain("float_ops names operations that the network lacks", got=sorted(unknown)[0]))
