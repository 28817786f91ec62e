"""Both rules of padding against a convolution in numpy that knows nothing of ours: torch, ONNX and TFLite files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edgenas import nn
from edgenas.arch import Architecture, Block, Graph, Head, Stage, Stem, lower
from edgenas.deploy.quantise.simulate import Simulator
from edgenas.errors import InputError
from edgenas.formats import encode, random_weights

sys.path.insert(0, str(Path(__file__).parent))
from networks import run_onnx, run_tflite, true_ranges  # noqa: E402


def network(rule: str, *, resolution: int, kernel: int, stride: int) -> Architecture:
    blocks = (
        Block(kernel=kernel, expanded=8, out_channels=8, stride=stride, expand=False),
        Block(kind="conv", kernel=kernel, expanded=6, out_channels=6, stride=stride),
        Block(start_kernel=kernel, kernel=kernel, expanded=12, out_channels=6, stride=1, skip=True),
    )
    return Architecture(
        resolution=resolution,
        stem=Stem(out_channels=8, kernel=kernel, stride=stride),
        stages=(Stage(blocks=blocks),),
        head=Head(conv_channels=0),
        classes=5,
        padding=rule,  # type: ignore[arg-type]
    )


def zeros_around(rule: str, extent: int, kernel: int, stride: int) -> tuple[int, int]:
    if rule == "symmetric":
        return kernel // 2, kernel // 2
    results = int(np.ceil(extent / stride))
    total = max((results - 1) * stride + kernel - extent, 0)
    return int(np.floor(total / 2)), int(np.ceil(total / 2))


def numpy_logits(graph: Graph, rule: str, weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Every operation in float64, convolutions as sums over shifted windows."""
    values = {graph.input.name: images.astype(np.float64)}
    for op in graph.ops[1:]:
        x = values[op.inputs[0]]
        if op.kind == "conv":
            weight = weights[f"{op.name}.weight"].astype(np.float64)
            pads = [zeros_around(rule, extent, op.kernel, op.stride) for extent in x.shape[2:]]
            padded = np.pad(x, ((0, 0), (0, 0), *pads))
            made = 0.0
            for row in range(op.kernel):
                for column in range(op.kernel):
                    window = padded[:, :, row : padded.shape[2] - op.kernel + row + 1 : op.stride]
                    window = window[:, :, :, column : padded.shape[3] - op.kernel + column + 1 : op.stride]
                    tap = weight[:, :, row, column]
                    made = made + (window * tap[:, 0, None, None] if op.depthwise else np.einsum(
                        "oi,nihw->nohw", tap, window))  # fmt: skip
            gamma, beta, mean, variance = (
                weights[f"{op.name}.norm.{part}"].astype(np.float64)[:, None, None]
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            values[op.name] = (made - mean) / np.sqrt(variance + graph.norm_eps) * gamma + beta
        elif op.kind == "act":
            values[op.name] = np.maximum(x, 0)
        elif op.kind == "pool":
            values[op.name] = x.mean((2, 3), keepdims=True)
        elif op.kind == "add":
            values[op.name] = x + values[op.inputs[1]]
        else:
            weight, bias = weights[f"{op.name}.weight"], weights[f"{op.name}.bias"]
            values[op.name] = x.reshape(len(x), -1) @ weight.T.astype(np.float64) + bias
    return values[graph.output.name]


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def case(
    rule: str, resolution: int, kernel: int, stride: int
) -> tuple[Architecture, dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(resolution * 100 + kernel * 10 + stride)
    architecture = network(rule, resolution=resolution, kernel=kernel, stride=stride)
    images = rng.standard_normal((2, 3, resolution, resolution)).astype(np.float32)
    return architecture, random_weights(lower(architecture), rng), images


@pytest.mark.parametrize("rule", ["symmetric", "same"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("resolution", [9, 20, 22, 24, 33])
def test_torch_onnx_and_tflite_compute_the_padding_that_the_network_says(
    rule: str, stride: int, kernel: int, resolution: int
) -> None:
    architecture, weights, images = case(rule, resolution, kernel, stride)
    graph = lower(architecture)
    expected = numpy_logits(graph, rule, weights, images)
    module = nn.build(architecture)
    module.load_weights(weights)
    with torch.inference_mode():
        assert error(module.eval()(torch.from_numpy(images)).numpy(), expected) < 1e-5
    assert error(run_onnx(encode(graph, weights, batch=None), images), expected) < 1e-5
    assert error(run_tflite(encode(graph, weights, file_format="tflite"), images), expected) < 1e-5


def kinds(data: bytes) -> list[str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT

    names = {value: name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)}
    model = ModelT.InitFromPackedBuf(data, 0)
    return [names[model.operatorCodes[op.opcodeIndex].builtinCode] for op in model.subgraphs[0].operators]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_same_needs_no_pad_operation_in_tflite_and_symmetric_does(precision: str) -> None:
    for rule, pads in (("same", 0), ("symmetric", 3)):
        architecture, weights, _ = case(rule, 32, 3, 2)
        found = kinds(encode(lower(architecture), weights, file_format="tflite", precision=precision))
        assert found.count("PAD") == pads


def test_onnx_files_have_asymmetric_pads_and_no_pad_node() -> None:
    architecture, weights, _ = case("same", 32, 5, 2)
    for precision in ("fp32", "int8"):
        nodes = onnx.load_from_string(encode(lower(architecture), weights, precision=precision)).graph.node
        pads = [list(a.ints) for node in nodes for a in node.attribute if node.op_type == "Conv" and a.name == "pads"]
        assert pads.count([1, 1, 2, 2]) == 3 and all(node.op_type != "Pad" for node in nodes)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
def test_int8_files_and_their_simulation_pad_as_the_network_says(file_format: str, kernel: int) -> None:
    """The wrong rule moves every result by a pixel."""
    architecture, weights, _ = case("same", 32, kernel, 2)
    images = np.random.default_rng(4).standard_normal((16, 3, 32, 32)).astype(np.float32)
    graph = lower(architecture)
    expected = numpy_logits(graph, "same", weights, images)
    wrong = numpy_logits(graph, "symmetric", weights, images)
    ranges = true_ranges(architecture, weights, images)
    data = encode(
        graph, weights, file_format=file_format, precision="int8", ranges=ranges,
        batch=16 if file_format == "onnx" else 1,
    )  # fmt: skip
    with torch.inference_mode():
        simulated = Simulator(graph, weights, ranges)(torch.from_numpy(images)).numpy()
    run = run_onnx if file_format == "onnx" else run_tflite
    for found in (run(data, images), simulated):
        assert error(found, expected) < 0.05 < 0.2 < error(found, wrong)


def test_a_module_with_same_padding_refuses_images_of_another_size() -> None:
    architecture, _, _ = case("same", 24, 3, 2)
    with pytest.raises(InputError, match="got 25 x 25; allowed: 24 x 24"):
        nn.build(architecture)(torch.zeros(1, 3, 25, 25))
