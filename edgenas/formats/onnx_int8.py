"""int8 ONNX files in QDQ form: per-channel signed weights and 8-bit activations. Saturation does the work of ReLU.

A value has two possible forms: floats, or the result of a dequantise node. The pair of quantise and dequantise nodes is
written once for each value that a quantised operation reads. So any set of operations can stay in floating point. The
runtime fuses each operation with its neighbours into one integer kernel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgenas.formats.fold import FoldedGraph, FoldedOp
from edgenas.formats.forms import file_forms
from edgenas.formats.onnx_float import (
    INPUT_NAME,
    OUTPUT_NAME,
    OnnxGraph,
    flat_values,
    float_activation,
    float_layer,
)
from edgenas.formats.quantise import Affine, Ranges, affine, quantise_layer, range_of
from edgenas.formats.registry import FORMATS


def write_onnx_int8(
    folded: FoldedGraph,
    *,
    ranges: Ranges,
    signed: bool = False,
    float_ops: Collection[str] = (),
    batch: int | None = 1,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Write a quantised ONNX file.

    Args:
        folded: The network, folded with `gate="clip"`.
        ranges: Range of each value by name of the original operation.
        signed: Whether activations are int8 (Arm) or uint8 (x86).
        float_ops: Operations that stay in floating point.
        batch: Images a run, or None for any number.
        metadata: Text properties of the file.

    Returns:
        The file. Input `image` (N, C, H, W) and output `logits` (N, classes), both float32.

    Raises:
        ExportError: A range is missing.
    """
    writer = _Writer(folded, ranges, np.int8 if signed else np.uint8, frozenset(float_ops))
    return writer.run(batch, metadata or {})


class _Writer:
    def __init__(self, folded: FoldedGraph, ranges: Ranges, dtype: type[np.integer], float_ops: frozenset[str]) -> None:
        self.folded, self.graph, self.by_name = folded, OnnxGraph(), folded.by_name()
        self.ranges, self.dtype, self.float_ops = ranges, dtype, float_ops
        self.flat = flat_values(folded)
        self.floats: dict[str, str] = {}
        self.coded: dict[str, str] = {}

    def run(self, batch: int | None, metadata: Mapping[str, str]) -> bytes:
        for op in self.folded.ops:
            self._write(op)
        return self.graph.model(self.folded, batch, metadata)

    @property
    def nodes(self) -> OnnxGraph:
        """The graph that is written."""
        return self.graph

    # Values in their two forms

    def pair(self, source: str, name: str, parameters: Affine, *, factor: float = 1.0) -> str:
        """Quantise and dequantise a float value. A factor on the dequantised value costs no operation."""
        zero = parameters.zero - (128 if self.dtype is np.int8 else 0)
        step = self.graph.array(f"{name}.step", np.float32(parameters.step))
        zero_name = self.graph.array(f"{name}.zero", self.dtype(zero))
        codes = self.graph.node("QuantizeLinear", [source, step, zero_name], f"{name}.quantize")
        if factor != 1.0:
            step = self.graph.array(f"{name}.scaled_step", np.float32(parameters.step * factor))
        return self.graph.node("DequantizeLinear", [codes, step, zero_name], f"{name}.dequantize")

    def _affine(self, op: FoldedOp) -> Affine:
        return affine(range_of(op, self.ranges))

    def _as_float(self, name: str) -> str:
        return self.floats.get(name) or self.coded[name]

    def _as_coded(self, name: str) -> str:
        if name not in self.coded:
            self.coded[name] = self.pair(self.floats[name], name, self._affine(self.by_name[name]))
        return self.coded[name]

    # Operations

    def _write(self, op: FoldedOp) -> None:
        if op.op.kind == "input":
            self.floats[op.name] = INPUT_NAME
        elif op.name in self.float_ops:
            self._float(op, [self._as_float(name) for name in op.inputs])
        else:
            self._quantised(op, [self._as_coded(name) for name in op.inputs])

    def _float(self, op: FoldedOp, inputs: list[str]) -> None:
        if op.op.kind == "act":
            made = float_activation(self.graph, op.activation, inputs[0], op.source)
        elif op.op.weighted:
            made = self._float_layer(op, inputs[0])
        else:
            made = self._join(op, inputs)
        self.floats[op.name] = made

    def _float_layer(self, op: FoldedOp, source: str) -> str:
        if op.inputs[0] not in self.floats:
            # ONNX Runtime itself rounds float weights that stand between a dequantise and a quantise node, with one
            # step for a whole layer. Twice the input and half the weights compute the same, and ONNX Runtime does not
            # recognise that form.
            two = self.graph.array("constant.two", np.float32(2))
            source = self.graph.node("Mul", [source, two], f"{op.name}.doubled")
            op = replace(op, weight=(op.arrays[0] / 2).astype(np.float32))
        output = OUTPUT_NAME if op.name == self.folded.ops[-1].name else op.name
        made = float_layer(self.graph, op, source, output, flat=op.inputs[0] in self.flat)
        return float_activation(self.graph, op.activation, made, op.source) if op.activation else made

    def _quantised(self, op: FoldedOp, inputs: list[str]) -> None:
        if op.op.kind == "act":
            self._activation(op, inputs[0])
        elif op is self.folded.ops[-1]:
            # The integer kernel of a fully connected layer can give floats, so the logits keep their precision.
            self._layer(op, inputs[0], OUTPUT_NAME)
            self.floats[op.name] = OUTPUT_NAME
        else:
            made = self._layer(op, inputs[0], op.name) if op.op.weighted else self._join(op, inputs)
            self.coded[op.name] = self.pair(made, op.name, self._affine(op))

    def _join(self, op: FoldedOp, inputs: list[str]) -> str:
        kind = {"pool": "GlobalAveragePool", "mul": "Mul", "add": "Add"}[op.op.kind]
        return self.graph.node(kind, inputs, op.name)

    def _layer(self, op: FoldedOp, source: str, output: str) -> str:
        if op.op.kind == "fc" and op.inputs[0] not in self.flat:
            flat = self.graph.node("Flatten", [source], f"{op.name}.flat")
            source = self.pair(flat, f"{op.name}.flat", self._affine(self.by_name[op.inputs[0]]))
        arrays = self._arrays(op)
        if op.op.kind == "conv":
            return self.graph.conv(op, [source, *arrays], output)
        return self.graph.node("Gemm", [source, *arrays], output, name=op.name, transB=1)

    def _arrays(self, op: FoldedOp) -> list[str]:
        steps = [self._affine(self.by_name[name]).step for name in (op.inputs[0], op.name)]
        layer = quantise_layer(op, steps[0], steps[1], limit=FORMATS["onnx"].weight_limit)
        return [
            self._constant(f"{op.name}.weight", layer.weight, layer.weight_steps),
            self._constant(f"{op.name}.bias", layer.bias, layer.bias_steps),
        ]

    def _constant(self, name: str, values: NDArray[np.integer], steps: NDArray[np.float32]) -> str:
        inputs = [
            self.graph.array(f"{name}.codes", values),
            self.graph.array(f"{name}.steps", steps),
            self.graph.array(f"{name}.zeros", np.zeros(len(steps), values.dtype)),
        ]
        return self.graph.node("DequantizeLinear", inputs, name, axis=0)

    def _activation(self, op: FoldedOp, source: str) -> None:
        form = file_forms(op.activation).onnx_int8
        if form is None:
            made = float_activation(self.graph, op.activation, source, op.source)
        else:
            made = form(self, op, source)
        self.coded[op.name] = self.pair(made, op.name, self._affine(op))
