"""ONNX files in fp32 and fp16: opset 17, NCHW, tensors and nodes named after the graph's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgenas.formats.activations import clip
from edgenas.formats.fold import CLIP01, FoldedGraph, FoldedOp, pools_in_two_steps
from edgenas.formats.forms import file_forms
from edgenas.version import __version__

OPSET = 17
IR_VERSION = 8
INPUT_NAME, OUTPUT_NAME = "image", "logits"


class OnnxGraph:
    """Collects nodes and initialisers. A node has the name of the tensor that it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, onnx.TensorProto] = {}

    def node(self, kind: str, inputs: list[str], output: str, *, name: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=name or output, **attributes))
        return output

    def array(self, name: str, values: NDArray[np.generic] | np.generic) -> str:
        """Add an initialiser once and return its name. A scalar stays a scalar: Q/DQ fusion needs that."""
        if name not in self.arrays:
            self.arrays[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        return name

    def conv(self, op: FoldedOp, inputs: list[str], output: str) -> str:
        """Append a convolution."""
        size = [op.op.kernel] * 2
        return self.node(
            "Conv",
            inputs,
            output,
            name=op.name,
            kernel_shape=size,
            strides=[op.op.stride] * 2,
            pads=list(op.op.padding),
            group=op.op.groups,
        )

    def model(self, folded: FoldedGraph, batch: int | None, metadata: Mapping[str, str]) -> bytes:
        """Serialise with the network's input and output."""
        size: int | str = "batch" if batch is None else batch
        image, logits = folded.ops[0].op.shape, folded.ops[-1].op.shape
        graph = helper.make_graph(
            self.nodes,
            "edgenas",
            [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [size, *image])],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [size, logits.channels])],
            list(self.arrays.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="edgenas",
            producer_version=__version__,
        )
        helper.set_model_props(model, dict(metadata))
        return bytes(model.SerializeToString(deterministic=True))


def flat_values(folded: FoldedGraph) -> set[str]:
    """Names of the values that have two axes (N, C): fully connected results and their activations."""
    flat: set[str] = set()
    for op in folded.ops:
        if op.op.kind == "fc" or (op.op.kind == "act" and op.inputs[0] in flat):
            flat.add(op.name)
    return flat


def write_onnx(
    folded: FoldedGraph, *, half: bool = False, batch: int | None = 1, metadata: Mapping[str, str] | None = None
) -> bytes:
    """Write a floating-point ONNX file.

    Args:
        folded: The network, folded with `gate="clip"`.
        half: Store and compute in float16; input and logits stay float32.
        batch: Images a run, or None for any number.
        metadata: Text properties of the file.

    Returns:
        The file. Input `image` (N, C, H, W), output `logits` (N, classes).
    """
    return _FloatWriter(folded, half).run(batch, metadata or {})


class _FloatWriter:
    def __init__(self, folded: FoldedGraph, half: bool) -> None:
        self.folded, self.graph = folded, OnnxGraph()
        self.dtype = np.float16 if half else np.float32
        self.half = half
        self.flat = flat_values(folded)
        self.by_name = folded.by_name()
        self.values: dict[str, str] = {}

    def run(self, batch: int | None, metadata: Mapping[str, str]) -> bytes:
        for op in self.folded.ops:
            self.values[op.name] = self._write(op, [self.values[name] for name in op.inputs])
        if self.half:
            self.graph.node("Cast", [self.values[self.folded.ops[-1].name]], OUTPUT_NAME, to=TensorProto.FLOAT)
        return self.graph.model(self.folded, batch, metadata)

    def _write(self, op: FoldedOp, inputs: list[str]) -> str:
        kind = op.op.kind
        if kind == "input":
            return self.graph.node("Cast", [INPUT_NAME], "image.half", to=10) if self.half else INPUT_NAME
        if op.op.weighted:
            return self._weighted(op, inputs)
        if kind == "act":
            return float_activation(self.graph, op.activation, inputs[0], op.source, self.dtype)
        if kind == "pool":
            return self._pool(op, inputs[0])
        return self.graph.node({"mul": "Mul", "add": "Add"}[kind], inputs, op.name)

    def _pool(self, op: FoldedOp, source: str) -> str:
        shape = self.by_name[op.inputs[0]].op.shape
        if pools_in_two_steps(shape):
            row = [1, shape.width]
            source = self.graph.node("AveragePool", [source], f"{op.name}.rows", kernel_shape=row, strides=row)
        return self.graph.node("GlobalAveragePool", [source], op.name)

    def _weighted(self, op: FoldedOp, inputs: list[str]) -> str:
        last = op is self.folded.ops[-1] and not self.half
        linear = OUTPUT_NAME if last else op.name
        flat = op.inputs[0] in self.flat
        made = float_layer(self.graph, op, inputs[0], linear, flat=flat, dtype=self.dtype)
        return float_activation(self.graph, op.activation, made, op.source, self.dtype) if op.activation else made


def float_layer(
    graph: OnnxGraph, op: FoldedOp, source: str, output: str, *, flat: bool, dtype: type[np.floating] = np.float32
) -> str:
    """Append a conv or fc with float weights, without its activation."""
    weight, bias = op.arrays
    arrays = [
        graph.array(f"{op.name}.weight", weight.astype(dtype)),
        graph.array(f"{op.name}.bias", bias.astype(dtype)),
    ]
    if op.op.kind == "conv":
        return graph.conv(op, [source, *arrays], output)
    if not flat:
        source = graph.node("Flatten", [source], f"{op.name}.flat")
    return graph.node("Gemm", [source, *arrays], output, name=op.name, transB=1)


def float_activation(
    graph: OnnxGraph, activation: str, source: str, output: str, dtype: type[np.floating] = np.float32
) -> str:
    """Append an activation in floating point."""
    if activation == CLIP01:
        return clip(graph, source, output, dtype, high=1.0)
    return file_forms(activation).onnx(graph, source, output, dtype)
