"""TFLite files in fp32, fp16 and int8: NHWC, padding exactly the graph's (SAME or VALID where it is
that, else a PAD operation), tensors named after the graph's operations.

An int8 value has two forms, codes and floats. A conversion is written once for each value if an operation needs the
other form. So any set of operations can stay in floating point.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Padding, TensorShape, same_padding
from edgenas.errors import PluginError, explain
from edgenas.formats import tflite_schema as schema
from edgenas.formats.fold import FoldedGraph, FoldedOp, pools_in_two_steps
from edgenas.formats.forms import file_forms
from edgenas.formats.quantise import Affine, Ranges, quantise_layer
from edgenas.formats.registry import FORMATS
from edgenas.formats.steps import choose_steps
from edgenas.formats.tflite_schema import Code, Fused, TensorQuantisation, TfliteFile

WeightForm = Literal["fp32", "fp16"]
INPUT_NAME, OUTPUT_NAME = "image", "logits"


def write_tflite(
    folded: FoldedGraph,
    *,
    weight_form: WeightForm = "fp32",
    ranges: Ranges | None = None,
    float_ops: Collection[str] = (),
    integer_io: bool = False,
    batch: int = 1,
    metadata: Mapping[str, bytes] | None = None,
) -> bytes:
    """Write a TFLite file.

    Args:
        folded: The network, folded with `gate="relu6"`.
        weight_form: How a floating-point file stores weights; fp16 is expanded when the file is loaded.
        ranges: Range of each value; given, the file is int8.
        float_ops: Operations of an int8 file that stay in floating point.
        integer_io: Whether an int8 file takes and gives int8; else float32.
        batch: Images a run.
        metadata: Bytes by name.

    Returns:
        The file, signature `serving_default`: `image` (N, H, W, C) to `logits` (N, classes).

    Raises:
        ExportError: A range is missing.
    """
    draft = draft_tflite(
        folded, weight_form=weight_form, ranges=ranges, float_ops=float_ops, integer_io=integer_io, batch=batch
    )
    return draft.pack(metadata or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteDraft:
    """A TFLite file that is not packed yet.

    Attributes:
        file: Its tensors and operators.
        image, logits: Numbers of the tensors that the user fills and reads.
    """

    file: TfliteFile
    image: int
    logits: int

    def pack(self, metadata: Mapping[str, bytes]) -> bytes:
        """Return the file, with bytes by name beside the network."""
        return self.file.pack(inputs={INPUT_NAME: self.image}, outputs={OUTPUT_NAME: self.logits}, metadata=metadata)


def draft_tflite(
    folded: FoldedGraph,
    *,
    weight_form: WeightForm = "fp32",
    ranges: Ranges | None = None,
    float_ops: Collection[str] = (),
    integer_io: bool = False,
    batch: int = 1,
) -> TfliteDraft:
    """Collect the tensors and operators of a TFLite file; see `write_tflite`."""
    return _Writer(folded, weight_form, ranges, frozenset(float_ops), integer_io, batch).run()


def _padding_kind(source: TensorShape, op: FoldedOp) -> int | None:
    """SAME or VALID where one of them is the operation's padding, else None."""
    padding = op.op.padding
    vertical = same_padding(source.height, op.op.kernel, op.op.stride)
    horizontal = same_padding(source.width, op.op.kernel, op.op.stride)
    if padding == (vertical[0], horizontal[0], vertical[1], horizontal[1]):
        return schema.SAME
    return None if any(padding) else schema.VALID


class _Writer:
    def __init__(
        self,
        folded: FoldedGraph,
        weight_form: WeightForm,
        ranges: Ranges | None,
        float_ops: frozenset[str],
        integer_io: bool,
        batch: int,
    ) -> None:
        self.folded, self.file, self.by_name = folded, TfliteFile(), folded.by_name()
        self.weight_form, self.ranges, self.float_ops = weight_form, ranges, float_ops
        self.integer_io, self.batch = integer_io, batch
        self.floats: dict[str, int] = {}
        self.codes: dict[str, int] = {}
        self.affine = choose_steps(folded, ranges, float_ops=float_ops) if ranges is not None else {}

    def run(self) -> TfliteDraft:
        first, last = self.folded.ops[0], self.folded.ops[-1]
        for op in self.folded.ops:
            self._write(op)
        integer = self.integer_io and self.ranges is not None
        return TfliteDraft(
            file=self.file,
            image=self.codes[first.name] if integer else self.floats[first.name],
            logits=self._as_codes(last.name) if integer else self._as_float(last.name),
        )

    def _shape(self, op: FoldedOp) -> list[int]:
        shape = op.op.shape
        flat = op.op.kind == "fc" or (op.op.kind == "act" and self.by_name[op.inputs[0]].op.kind == "fc")
        return [self.batch, shape.channels] if flat else [self.batch, shape.height, shape.width, shape.channels]

    def integer(self, op: FoldedOp) -> bool:
        return self.ranges is not None and op.name not in self.float_ops

    # Values in their two forms

    def parameters(self, name: str) -> Affine:
        return self.affine[name]

    def _code_tensor(self, name: str, shape: list[int], parameters: Affine) -> int:
        quantisation = TensorQuantisation(steps=(parameters.step,), zeros=(parameters.zero - 128,))
        return self.file.tensor(name, shape, "int8", quantisation)

    def result(self, op: FoldedOp) -> int:
        """Add the tensor of an operation's value in the form that the operation computes."""
        if self.integer(op):
            self.codes[op.name] = self._code_tensor(op.name, self._shape(op), self.parameters(op.name))
            return self.codes[op.name]
        self.floats[op.name] = self.file.tensor(op.name, self._shape(op), "float32")
        return self.floats[op.name]

    def _as_float(self, name: str) -> int:
        if name not in self.floats:
            tensor = self.file.tensor(f"{name}.dequantize", self._shape(self.by_name[name]), "float32")
            self.floats[name] = self.file.operator(
                Code.DEQUANTIZE, [self.codes[name]], tensor, schema.DEQUANTIZE_OPTIONS, version=2
            )
        return self.floats[name]

    def _as_codes(self, name: str) -> int:
        if name not in self.codes:
            tensor = self._code_tensor(f"{name}.quantize", self._shape(self.by_name[name]), self.parameters(name))
            self.codes[name] = self.file.operator(Code.QUANTIZE, [self.floats[name]], tensor, schema.QUANTIZE_OPTIONS)
        return self.codes[name]

    def _inputs(self, op: FoldedOp) -> list[int]:
        form = self._as_codes if self.integer(op) else self._as_float
        return [form(name) for name in op.inputs]

    # Operations

    def _write(self, op: FoldedOp) -> None:
        if op.op.kind == "input":
            self._input(op)
        elif op.op.weighted:
            self._layer(op)
        elif op.op.kind == "act":
            self._activation(op)
        elif op.op.kind == "pool":
            self._pool(op)
        else:
            code, options = {"mul": (Code.MUL, schema.MUL_OPTIONS), "add": (Code.ADD, schema.add_options())}[op.op.kind]
            self.emit(code, self._inputs(op), self.result(op), options, integer_version=2)

    def emit(
        self, code: Code, inputs: list[int], output: int, options: schema.Options, *, integer_version: int = 2
    ) -> int:
        integer = self.file.tensors[output].dtype == "int8"
        return self.file.operator(code, inputs, output, options, version=integer_version if integer else 1)

    def _input(self, op: FoldedOp) -> None:
        if self.ranges is not None and self.integer_io:
            self.codes[op.name] = self._code_tensor(INPUT_NAME, self._shape(op), self.parameters(op.name))
        else:
            self.floats[op.name] = self.file.tensor(INPUT_NAME, self._shape(op), "float32")

    def _pool(self, op: FoldedOp) -> None:
        axes = self.file.constant(f"{op.name}.axes", np.array([1, 2], np.int32))
        source, shape = self._inputs(op)[0], self.by_name[op.inputs[0]].op.shape
        if self.ranges is None and pools_in_two_steps(shape):
            row = self.file.constant(f"{op.name}.rows.axes", np.array([2], np.int32))
            rows = self.file.tensor(f"{op.name}.rows", [self.batch, shape.height, 1, shape.channels], "float32")
            source = self.file.operator(Code.MEAN, [source, row], rows, schema.KEEP_DIMS_OPTIONS)
        self.emit(Code.MEAN, [source, axes], self.result(op), schema.KEEP_DIMS_OPTIONS, integer_version=2)

    def _layer(self, op: FoldedOp) -> None:
        source = self._inputs(op)[0]
        fused = file_forms(op.activation).tflite_fused if op.activation else Fused.NONE
        if fused is None:
            what = f"no layer of TFLite takes over the activation {op.activation}, though its row says so"
            raise PluginError(explain(what, remedy="Give its files entry a `tflite_fused`, or its row fused=''."))
        if op.op.kind == "fc":
            inputs = [source, *self._arrays(op, axis=0)]
            options = schema.dense_options(fused=fused)
            self.emit(Code.FULLY_CONNECTED, inputs, self.result(op), options, integer_version=4)
            return
        padding = _padding_kind(self.by_name[op.inputs[0]].op.shape, op)
        if padding is None:
            source, padding = self._pad(op, source), schema.VALID
        code, make = Code.CONV_2D, schema.conv_options
        if op.op.depthwise:
            code, make = Code.DEPTHWISE_CONV_2D, schema.depthwise_options
        inputs = [source, *self._arrays(op, axis=3 if op.op.depthwise else 0)]
        options = make(padding=padding, stride=op.op.stride, fused=fused)
        self.emit(code, inputs, self.result(op), options, integer_version=3)

    def _pad(self, op: FoldedOp, source: int) -> int:
        shape, padding = self.by_name[op.inputs[0]].op.shape, Padding(*op.op.padding)
        rows = [[0, 0], [padding.top, padding.bottom], [padding.left, padding.right], [0, 0]]
        size = [
            self.batch,
            shape.height + padding.top + padding.bottom,
            shape.width + padding.left + padding.right,
            shape.channels,
        ]
        tensor = self.file.tensors[source]
        padded = self.file.tensor(f"{op.name}.pad", size, tensor.dtype, tensor.quantisation)
        amounts = self.file.constant(f"{op.name}.padding", np.array(rows, np.int32))
        return self.emit(Code.PAD, [source, amounts], padded, schema.PAD_OPTIONS, integer_version=2)

    def _arrays(self, op: FoldedOp, axis: int) -> list[int]:
        weight, bias = op.arrays
        names = f"{op.name}.weight", f"{op.name}.bias"
        if not self.integer(op):
            return [self._float_array(names[0], _layout(op, weight)), self._float_array(names[1], bias)]
        layer = quantise_layer(
            op, self.parameters(op.inputs[0]).step, self.parameters(op.name).step, limit=FORMATS["tflite"].weight_limit
        )
        zeros = (0,) * len(bias)
        weights = TensorQuantisation(steps=tuple(layer.weight_steps.tolist()), zeros=zeros, axis=axis)
        biases = TensorQuantisation(steps=tuple(layer.bias_steps.tolist()), zeros=zeros)
        return [
            self.file.constant(names[0], _layout(op, layer.weight), weights),
            self.file.constant(names[1], layer.bias, biases),
        ]

    def _float_array(self, name: str, values: NDArray[np.float32]) -> int:
        if self.weight_form == "fp32" or self.ranges is not None:
            return self.file.constant(name, values)
        half = self.file.constant(f"{name}.half", values.astype(np.float16))
        tensor = self.file.tensor(name, values.shape, "float32")
        return self.file.operator(Code.DEQUANTIZE, [half], tensor, schema.DEQUANTIZE_OPTIONS, version=3)

    def _activation(self, op: FoldedOp) -> None:
        file_forms(op.activation).tflite(self, op, self._inputs(op)[0])

    def inner(self, op: FoldedOp, part: str, parameters: Affine) -> int:
        name, shape = f"{op.name}.{part}", self._shape(op)
        if self.integer(op):
            return self._code_tensor(name, shape, parameters)
        return self.file.tensor(name, shape, "float32")

    def scalar(self, op: FoldedOp, part: str, value: float) -> int:
        name = f"{op.name}.{part}"
        if not self.integer(op):
            return self.file.constant(name, np.array([value], np.float32))
        quantisation = TensorQuantisation(steps=(value / 127,), zeros=(0,))
        return self.file.constant(name, np.array([127], np.int8), quantisation)


def _layout(op: FoldedOp, weight: NDArray[Any]) -> NDArray[Any]:
    """(out, in, k, k) to TFLite's (out, k, k, in), depthwise (1, k, k, out); fc (out, in) stays."""
    if weight.ndim == 2:
        return weight
    return weight.transpose(1, 2, 3, 0) if op.op.depthwise else weight.transpose(0, 2, 3, 1)
