"""Counts that decide the speed of a file: quantised kernels in ONNX Runtime's graph, partitions of XNNPACK."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from edgenas.errors import ExportError, explain
from edgenas.formats import Contents
from edgenas.measure.engines.litert import interpreter_class

_CONVOLUTIONS = ("Conv", "FusedConv", "QLinearConv")
_DENSE = ("Gemm", "FusedGemm", "QGemm")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxCounts:
    """Kernels of a file as ONNX Runtime executes it.

    Attributes:
        quantised_convolutions: Convolutions that run on integers.
        convolutions: All of them.
        quantised_dense: Fully connected layers that run on integers.
        dense: All of them.
        nodes: Nodes of the optimised graph.
    """

    quantised_convolutions: int
    convolutions: int
    quantised_dense: int
    dense: int
    nodes: int

    def to_dict(self) -> dict[str, int]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def count_onnx(data: bytes, *, signed: bool = False) -> OnnxCounts:
    """Let ONNX Runtime optimise a file and count its kernels.

    Args:
        data: The file.
        signed: Count as on Arm, where signed activations are fused too; here they are not by default.
    """
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(path)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        if signed:
            options.add_session_config_entry("session.qdqisint8allowed", "1")
        # It warns that the optimised graph belongs to this machine, which is what is wanted here.
        options.log_severity_level = 3
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        kinds = [node.op_type for node in onnx.load(path).graph.node]
    return OnnxCounts(
        quantised_convolutions=kinds.count("QLinearConv"),
        convolutions=sum(kinds.count(kind) for kind in _CONVOLUTIONS),
        quantised_dense=kinds.count("QGemm"),
        dense=sum(kinds.count(kind) for kind in _DENSE),
        nodes=len(kinds),
    )


def require_quantised(data: bytes, *, convolutions: int, dense: int, signed: bool = False) -> OnnxCounts:
    """Count the kernels of an int8 file and refuse it where others run on integers than should.

    Args:
        data: The file.
        convolutions, dense: How many should run on integers.
        signed: See `count_onnx`.

    Raises:
        ExportError: Fewer run on integers, so the file would be slow without a warning. Or more do: the runtime itself
            rounds operations that were left in floating point for their accuracy.
    """
    counts = count_onnx(data, signed=signed)
    if (counts.quantised_convolutions, counts.quantised_dense) != (convolutions, dense):
        raise ExportError(
            explain(
                "ONNX Runtime does not run the int8 file on integers as it should",
                got=f"{counts.quantised_convolutions} convolutions and {counts.quantised_dense} fully connected layers",
                allowed=f"{convolutions} and {dense}",
                remedy="Another version of ONNX Runtime fuses differently; export with the version you deploy.",
            )
        )
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteCounts:
    """Operations of a file as LiteRT executes it.

    Attributes:
        delegates: Partitions that XNNPACK took; each boundary costs copies.
        covered: Whether the only partition reaches from the input to the logits.
        operations: Operations in the file.
    """

    delegates: int
    covered: bool
    operations: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def count_tflite(data: bytes) -> TfliteCounts:
    """Let LiteRT load a file and count its delegate's partitions.

    Args:
        data: The file.
    """
    interpreter = interpreter_class()[0](model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    operations = interpreter._get_ops_details()
    partitions = [entry for entry in operations if entry["op_name"] == "DELEGATE"]
    ends = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    covered = (
        len(partitions) == 1 and ends[0] in list(partitions[0]["inputs"]) and ends[1] in list(partitions[0]["outputs"])
    )
    return TfliteCounts(delegates=len(partitions), covered=covered, operations=len(operations) - len(partitions))


def require_one_partition(data: bytes) -> TfliteCounts:
    """Count the partitions of a file and refuse it where XNNPACK does not take it as a whole.

    An older runtime (tflite-runtime) supports fewer operations. That is a limit of the runtime and not a fault of the
    file. So the file is not refused there.

    Raises:
        ExportError: The graph has several partitions, so the file would be slow without a warning.
    """
    counts = count_tflite(data)
    if interpreter_class()[1] == "ai-edge-litert" and not counts.covered:
        raise ExportError(
            explain(
                "XNNPACK does not take the TFLite file as one piece",
                got=f"{counts.delegates} partitions",
                allowed="1 from the input to the logits",
                remedy="Another version of LiteRT delegates differently; export with the version you deploy.",
            )
        )
    return counts


def onnx_kernels(data: bytes, contents: Contents) -> dict[str, int]:
    """Count the kernels of an int8 ONNX file for its card; nothing in other precisions.

    Args:
        data: The file.
        contents: What it was written from.

    Raises:
        ExportError: See `require_quantised`.
    """
    if contents.precision != "int8":
        return {}
    integer = [op for op in contents.graph.ops if op.weighted and op.name not in contents.float_ops]
    convolutions = sum(op.kind == "conv" for op in integer)
    signed = contents.scheme == "qdq_s8s8"
    dense = len(integer) - convolutions
    return require_quantised(data, convolutions=convolutions, dense=dense, signed=signed).to_dict()


def tflite_kernels(data: bytes, contents: Contents) -> dict[str, Any]:
    """Count the partitions of a TFLite file for its card; see `require_one_partition`."""
    return require_one_partition(data).to_dict()
