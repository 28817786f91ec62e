"""The writers of ONNX and TFLite files, as the registry of formats has them."""

from __future__ import annotations

from edgenas.formats.fold import fold
from edgenas.formats.registry import Contents


def onnx_file(contents: Contents) -> bytes:
    """Write an ONNX file, NCHW."""
    from edgenas.formats.onnx_float import write_onnx
    from edgenas.formats.onnx_int8 import write_onnx_int8

    folded = fold(contents.graph, contents.weights, gate="clip")
    if contents.ranges is None:
        half = contents.precision == "fp16"
        return write_onnx(folded, half=half, batch=contents.batch, metadata=contents.metadata)
    return write_onnx_int8(
        folded,
        ranges=contents.ranges,
        signed=contents.scheme == "qdq_s8s8",
        float_ops=contents.float_ops,
        batch=contents.batch,
        metadata=contents.metadata,
    )


def tflite_file(contents: Contents) -> bytes:
    """Write a TFLite file, NHWC."""
    from edgenas.formats.tflite import write_tflite
    from edgenas.formats.tflite_metadata import METADATA_NAME, task_metadata, with_labels

    calibrated = contents.ranges is not None
    integer = {op.name for op in contents.graph.ops} - set(contents.float_ops) if calibrated else set()
    about = contents.about
    data = write_tflite(
        fold(contents.graph, contents.weights, gate="relu6", late_factors=integer),
        weight_form="fp16" if contents.precision == "fp16" else "fp32",
        ranges=contents.ranges,
        float_ops=contents.float_ops,
        integer_io=contents.scheme == "int8_io",
        batch=contents.batch or 1,
        metadata={
            **{name: text.encode() for name, text in contents.metadata.items()},
            **({} if about is None else {METADATA_NAME: task_metadata(about)}),
        },
    )
    return data if about is None else with_labels(data, about)
