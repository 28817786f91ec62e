"""An independent reference of int8 ONNX operators: each cut out of its file, run alone, and recomputed by ONNX's own
reference implementation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from onnx.utils import Extractor


def onnx_operators_against_reference(data: bytes, rng: np.random.Generator) -> Iterator[tuple[str, int]]:
    """Run every operator between two quantised tensors on random codes.

    Yields:
        The name of its result, and the largest difference from the reference, in codes.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(data))
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    codes = {node.output[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] == graph.input[0].name:
            continue
        given = sorted(_codes_before(node.input[0], makers, codes, constants))
        alone = Extractor(model).extract_model(given, [node.output[0]])
        kinds = {entry.name: entry.type.tensor_type.elem_type for entry in alone.graph.input}
        feed = {
            name: _extreme_codes(shapes[name], onnx.helper.tensor_dtype_to_np_dtype(kinds[name]), rng)
            for name in given
        }
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(alone.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, feed)[0]
        # The reference implements quantisation from 19 on, and nothing else here changed since 17.
        alone.opset_import[0].version = 19
        expected = ReferenceEvaluator(alone).run(None, feed)[0]
        yield node.output[0], int(np.abs(found.astype(np.int64) - expected.astype(np.int64)).max())


def _codes_before(name: str, makers: dict, codes: set[str], constants: set[str]) -> set[str]:
    if name in codes:
        return {name}
    if name in constants or name not in makers:
        return set()
    found = [_codes_before(source, makers, codes, constants) for source in makers[name].input]
    return set().union(*found)


def _extreme_codes(shape: list[int], kind: np.dtype, rng: np.random.Generator) -> np.ndarray:
    limits = np.iinfo(kind)
    codes = rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
    codes[rng.random(shape) < 0.2] = limits.max
    codes[rng.random(shape) < 0.2] = limits.min
    return codes
