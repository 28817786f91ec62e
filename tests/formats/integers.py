"""An independent reference of int8 TFLite operators: each cut out of its file, run alone and recomputed in float64."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import flatbuffers
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT, TensorType
from torch.nn import functional

NAMES = {value: name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)}


def operators_against_reference(data: bytes, rng: np.random.Generator) -> Iterator[tuple[str, str, int]]:
    """Run every integer operator of a file on random codes; yield its kind, its tensor's name and the largest
    difference from the reference, in codes."""
    model = ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]]
        kind = NAMES[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if output.type != TensorType.INT8 or kind == "QUANTIZE":
            continue
        values = [_constant(model, index) for index in operator.inputs]
        given = [index for index, value in zip(operator.inputs, values, strict=True) if value is None]
        codes = {index: _extreme_codes(graph.tensors[index].shape, rng) for index in given}
        found = _run(_alone(model, operator, given), [codes[index] for index in given])
        reals = [
            _real(graph.tensors[index], codes[index] if value is None else value)
            for index, value in zip(operator.inputs, values, strict=True)
        ]
        real = _compute(kind, operator, reals, output)
        step, zero = float(output.quantization.scale[0]), int(output.quantization.zeroPoint[0])
        expected = np.clip(np.round(real / step) + zero, *_limits(operator, step, zero))
        yield kind, output.name.decode(), int(np.abs(found.astype(np.int64) - expected).max())


def _limits(operator, step: float, zero: int) -> tuple[float, float]:
    fused = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    low = max(-128, zero) if fused in (1, 3) else -128
    return low, min(127.0, zero + round(6 / step)) if fused == 3 else 127


def _constant(model: ModelT, index: int) -> np.ndarray | None:
    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    kinds = {TensorType.INT8: np.int8, TensorType.INT32: np.int32}
    return None if data is None else np.frombuffer(bytes(data), kinds[tensor.type]).reshape(tensor.shape)


def _extreme_codes(shape: list[int], rng: np.random.Generator) -> np.ndarray:
    codes = rng.integers(-128, 128, shape, dtype=np.int8)
    codes[rng.random(shape) < 0.2] = 127
    codes[rng.random(shape) < 0.2] = -128
    return codes


def _alone(model: ModelT, operator, given: list[int]) -> bytes:
    alone = copy.copy(model)
    graph = copy.copy(model.subgraphs[0])
    graph.operators, graph.inputs, graph.outputs = [operator], given, list(operator.outputs)
    alone.subgraphs, alone.signatureDefs = [graph], []
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(alone.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _run(data: bytes, codes: list[np.ndarray]) -> np.ndarray:
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    for entry, value in zip(interpreter.get_input_details(), codes, strict=True):
        interpreter.set_tensor(entry["index"], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _real(tensor, codes: np.ndarray) -> np.ndarray:
    if tensor.quantization is None or tensor.quantization.scale is None:
        return codes
    shape = [1] * codes.ndim
    if len(tensor.quantization.scale) > 1:
        shape[tensor.quantization.quantizedDimension] = -1
    steps = np.asarray(tensor.quantization.scale, np.float64).reshape(shape)
    return (codes.astype(np.float64) - np.asarray(tensor.quantization.zeroPoint, np.float64).reshape(shape)) * steps


def _compute(kind: str, operator, reals: list[np.ndarray], output) -> np.ndarray:
    options = operator.builtinOptions
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return _convolution(kind, options, reals, output.shape)
    if kind == "FULLY_CONNECTED":
        return reals[0].reshape(len(reals[0]), -1) @ reals[1].T + reals[2]
    if kind == "PAD":
        return np.pad(reals[0], reals[1])
    if kind == "MEAN":
        return reals[0].mean(tuple(reals[1]), keepdims=True)
    if kind == "LOGISTIC":
        return 1 / (1 + np.exp(-reals[0]))
    return {"ADD": np.add, "MUL": np.multiply}[kind](*reals)


def _convolution(kind: str, options, reals: list[np.ndarray], shape: list[int]) -> np.ndarray:
    image, weight, bias = (torch.from_numpy(np.ascontiguousarray(real)) for real in reals)
    image = image.permute(0, 3, 1, 2)
    depthwise = kind == "DEPTHWISE_CONV_2D"
    weight = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
    if options.padding == 0:
        sizes = zip(image.shape[2:], weight.shape[2:], (options.strideH, options.strideW), shape[1:3], strict=True)
        pads = [max((out - 1) * stride + kernel - extent, 0) for extent, kernel, stride, out in sizes]
        image = functional.pad(image, (pads[1] // 2, -(-pads[1] // 2), pads[0] // 2, -(-pads[0] // 2)))
    groups = image.shape[1] if depthwise else 1
    made = functional.conv2d(image, weight, bias, stride=(options.strideH, options.strideW), groups=groups)
    return made.permute(0, 2, 3, 1).numpy()
