"""The activations in ONNX and TFLite files: one entry each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgenas.errors import ExportError, explain
from edgenas.formats import tflite_schema as schema
from edgenas.formats.fold import FoldedOp
from edgenas.formats.forms import FileForms, OnnxCodes, OnnxNodes, TfliteOps
from edgenas.formats.quantise import Affine, affine
from edgenas.formats.steps import SMALLEST_ADDEND, gate_step, raise_product, raise_result
from edgenas.formats.tflite_schema import Code, Fused

_Floating = type[np.floating]
_SIXTH_STEP = 1 / 6 / 127
# What the integer kernels of a sigmoid give.
_UNIT = Affine(1 / 256, 0)


def _node(kind: str, **attributes: Any) -> Callable[[OnnxNodes, str, str, _Floating], str]:
    """Return a form of one ONNX node."""
    return lambda graph, source, output, dtype: graph.node(kind, [source], output, **attributes)


def clip(graph: OnnxNodes, source: str, output: str, dtype: _Floating, *, high: float) -> str:
    """Append a clip to 0..high to an ONNX graph."""
    bounds = [graph.array(f"constant.{value:g}", dtype(value)) for value in (0.0, high)]
    return graph.node("Clip", [source, *bounds], output)


def _operator(code: Code, options: schema.Options = schema.NO_OPTIONS) -> Callable[[TfliteOps, FoldedOp, int], None]:
    """Return a form of one TFLite operator."""

    def write(writer: TfliteOps, op: FoldedOp, source: int) -> None:
        writer.emit(code, [source], writer.result(op), options)

    return write


# x * sigmoid(x)


def _onnx_silu(graph: OnnxNodes, source: str, output: str, dtype: _Floating) -> str:
    gate = graph.node("Sigmoid", [source], f"{output}.gate")
    return graph.node("Mul", [source, gate], output)


def _onnx_int8_silu(writer: OnnxCodes, op: FoldedOp, source: str) -> str:
    gate = writer.nodes.node("Sigmoid", [source], f"{op.name}.gate")
    rounded = writer.pair(gate, f"{op.name}.gate", affine((0.0, 1.0)))
    return writer.nodes.node("Mul", [source, rounded], op.name)


def _tflite_silu(writer: TfliteOps, op: FoldedOp, source: int) -> None:
    gate = writer.inner(op, "gate", _UNIT)
    writer.emit(Code.LOGISTIC, [source], gate, schema.NO_OPTIONS)
    writer.emit(Code.MUL, [source, gate], writer.result(op), schema.MUL_OPTIONS)


def _silu_steps(op: FoldedOp, steps: dict[str, float]) -> None:
    raise_product(op.inputs[0], _UNIT.step, op.name, steps)


# relu6(x + 3), of which hard-sigmoid is the sixth and hard-swish the sixth times x


def _plus_three(writer: TfliteOps, op: FoldedOp, source: int) -> int:
    step = gate_step(writer.parameters(op.inputs[0]).step) if writer.integer(op) else 1.0
    assert step is not None, "choose_steps refuses such an input"
    gate = writer.inner(op, "gate", Affine(float(np.float32(step)), 0))
    inputs = [source, writer.scalar(op, "three", 3.0)]
    return writer.emit(Code.ADD, inputs, gate, schema.add_options(fused=Fused.RELU6))


def _plus_three_step(op: FoldedOp, steps: dict[str, float]) -> float:
    """Make the step of the input large enough for the addition, and return that of its result."""
    source = op.inputs[0]
    gate = gate_step(steps[source])
    if gate is None:
        raise ExportError(
            explain(
                f"the input of {op.name} is too large for an int8 {op.activation.replace('_', '-')}",
                got=f"values up to about {128 * steps[source]:.3g}",
                remedy="Keep the file in floating point, or train with weight decay.",
            )
        )
    steps[source] = max(steps[source], gate * SMALLEST_ADDEND)
    return gate


def _tflite_hard_sigmoid(writer: TfliteOps, op: FoldedOp, source: int) -> None:
    gate = _plus_three(writer, op, source)
    sixth = writer.scalar(op, "sixth", 1 / 6)
    writer.emit(Code.MUL, [gate, sixth], writer.result(op), schema.MUL_OPTIONS)


def _hard_sigmoid_steps(op: FoldedOp, steps: dict[str, float]) -> None:
    raise_result(op.name, _plus_three_step(op, steps) * _SIXTH_STEP, steps)


def _onnx_int8_hard_swish(writer: OnnxCodes, op: FoldedOp, source: str) -> str:
    """x * clip(x + 3, 0, 6) / 6: saturation of the codes is the clip, their step carries the sixth."""
    graph, kind, top = writer.nodes, writer.dtype.__name__, np.iinfo(writer.dtype).max
    codes = graph.array(f"constant.three.{kind}", writer.dtype(top))
    step = graph.array("constant.three.step", np.float32(3 / top))
    zero = graph.array(f"constant.zero.{kind}", writer.dtype(0))
    three = graph.node("DequantizeLinear", [codes, step, zero], f"{op.name}.three")
    shifted = graph.node("Add", [source, three], f"{op.name}.shifted")
    gate = writer.pair(shifted, f"{op.name}.gate", affine((0.0, 6.0)), factor=1 / 6)
    return graph.node("Mul", [source, gate], op.name)


def _tflite_hard_swish(writer: TfliteOps, op: FoldedOp, source: int) -> None:
    """x * relu6(x + 3), multiplied by 1/6 if the next layer could not take that; on floats one operator."""
    if not writer.integer(op) and op.scale == 1.0:
        _operator(Code.HARD_SWISH, schema.HARD_SWISH_OPTIONS)(writer, op, source)
        return
    gate = _plus_three(writer, op, source)
    if op.scale == 6.0:
        writer.emit(Code.MUL, [source, gate], writer.result(op), schema.MUL_OPTIONS)
        return
    step, zero = writer.parameters(op.name)
    product = writer.inner(op, "product", Affine(6 * step, zero))
    writer.emit(Code.MUL, [source, gate], product, schema.MUL_OPTIONS)
    sixth = writer.scalar(op, "sixth", 1 / 6)
    writer.emit(Code.MUL, [product, sixth], writer.result(op), schema.MUL_OPTIONS)


def _hard_swish_steps(op: FoldedOp, steps: dict[str, float]) -> None:
    raise_product(op.inputs[0], _plus_three_step(op, steps) / 6 * op.scale, op.name, steps)


RELU = FileForms(onnx=_node("Relu"), tflite=_operator(Code.RELU), tflite_fused=Fused.RELU)
RELU6 = FileForms(
    onnx=lambda graph, source, output, dtype: clip(graph, source, output, dtype, high=6.0),
    tflite=_operator(Code.RELU6),
    tflite_fused=Fused.RELU6,
)
HARD_SWISH = FileForms(
    onnx=_node("HardSwish"),
    tflite=_tflite_hard_swish,
    onnx_int8=_onnx_int8_hard_swish,
    raise_steps=_hard_swish_steps,
)
SILU = FileForms(onnx=_onnx_silu, tflite=_tflite_silu, onnx_int8=_onnx_int8_silu, raise_steps=_silu_steps)
HARD_SIGMOID = FileForms(
    onnx=_node("HardSigmoid", alpha=1 / 6, beta=0.5),
    tflite=_tflite_hard_sigmoid,
    raise_steps=_hard_sigmoid_steps,
)
SIGMOID = FileForms(onnx=_node("Sigmoid"), tflite=_operator(Code.LOGISTIC), tflite_result=_UNIT)
