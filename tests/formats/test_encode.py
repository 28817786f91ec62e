"""Files against the torch module, on their runtimes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas import nn
from edgenas.arch import Architecture, Graph, Op, TensorShape, lower
from edgenas.arch.zoo import published
from edgenas.errors import ExportError, WeightsError
from edgenas.formats import (
    FORMATS,
    encode,
    file_format_of,
    fold,
    random_weights,
    synthetic_ranges,
)

sys.path.insert(0, str(Path(__file__).parent))
from integers_onnx import onnx_operators_against_reference  # noqa: E402
from networks import run_onnx, run_tflite, small, true_ranges  # noqa: E402

RUN = {"onnx": run_onnx, "tflite": run_tflite}


def torch_logits(architecture: Architecture, weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    module = nn.build(architecture)
    module.load_weights(weights)
    module.eval()
    with torch.inference_mode():
        return module(torch.from_numpy(images)).numpy()


def case(architecture: Architecture, seed: int = 0, count: int = 2) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = random_weights(lower(architecture), rng)
    shape = (count, architecture.in_channels, architecture.resolution, architecture.resolution)
    return weights, rng.standard_normal(shape).astype(np.float32)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


VARIANTS = {
    "everything": small(),
    "one channel of 8 x 8": small(resolution=8, in_channels=1, gate=None, activation="relu", classes=10),
    "even extents": small(resolution=32, activation="silu", gate="sigmoid"),
    "without hidden layer": small(hidden=0, activation="relu6"),
    "sigmoid gate and hard swish": small(gate="sigmoid"),
    "TensorFlow's padding": small(resolution=32, padding="same"),
}


@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_fp32_file_computes_what_torch_computes(variant: str, file_format: str) -> None:
    architecture = VARIANTS[variant]
    weights, images = case(architecture)
    data = encode(lower(architecture), weights, file_format=file_format, batch=None if file_format == "onnx" else 1)
    assert error(RUN[file_format](data, images), torch_logits(architecture, weights, images)) < 1e-5


@settings(max_examples=20, deadline=None)
@given(
    resolution=st.integers(5, 40),
    in_channels=st.sampled_from([1, 3]),
    activation=st.sampled_from(["relu", "relu6", "hard_swish", "silu"]),
    gate=st.sampled_from([None, "sigmoid", "hard_sigmoid"]),
    hidden=st.sampled_from([0, 9]),
    padding=st.sampled_from(["symmetric", "same"]),
)
def test_any_small_network_has_parity_in_both_formats(
    resolution: int, in_channels: int, activation: str, gate: str | None, hidden: int, padding: str
) -> None:
    architecture = small(
        resolution=resolution, in_channels=in_channels, activation=activation, gate=gate, hidden=hidden,
        padding=padding,
    )  # fmt: skip
    weights, images = case(architecture, seed=resolution, count=1)
    expected = torch_logits(architecture, weights, images)
    for file_format, run in RUN.items():
        assert error(run(encode(lower(architecture), weights, file_format=file_format), images), expected) < 1e-5


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_lite0", "mobilenet_v4_conv_small", "fbnet_c"])
def test_published_network_has_parity(name: str) -> None:
    architecture = published(name)
    weights, images = case(architecture, count=1)
    expected = torch_logits(architecture, weights, images)
    for file_format, run in RUN.items():
        assert error(run(encode(lower(architecture), weights, file_format=file_format), images), expected) < 1e-4


@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
def test_fp16_file_is_half_the_size_and_close(file_format: str) -> None:
    architecture = published("mobilenet_v3_small")
    weights, images = case(architecture, count=1)
    graph = lower(architecture)
    full = encode(graph, weights, file_format=file_format)
    half = encode(graph, weights, file_format=file_format, precision="fp16")
    assert len(half) < 0.51 * len(full)
    assert error(RUN[file_format](half, images), torch_logits(architecture, weights, images)) < 5e-3


def test_every_onnx_file_passes_the_full_check() -> None:
    graph = lower(small())
    weights, _ = case(small())
    for precision, scheme in [("fp32", None), ("fp16", None), *(("int8", name) for name in FORMATS["onnx"].schemes)]:
        for batch in (1, 4, None):
            data = encode(graph, weights, precision=precision, scheme=scheme, batch=batch)
            onnx.checker.check_model(data, full_check=True)


@pytest.mark.parametrize(
    ("file_format", "scheme"), [(file_format, scheme) for file_format in RUN for scheme in FORMATS[file_format].schemes]
)
def test_int8_with_true_ranges_stays_near_the_float_file(file_format: str, scheme: str) -> None:
    # Random weights do not keep their top class in int8, and the codes of many layers add up. So this sees wrong
    # factors only; single operators are held to one code below and in test_steps. Accuracy is judged on trained
    # networks in tests/deploy.
    for variant in VARIANTS.values():
        weights, images = case(variant, count=8)
        graph = lower(variant)
        ranges = true_ranges(variant, weights, images)
        data = encode(
            graph,
            weights,
            file_format=file_format,
            precision="int8",
            ranges=ranges,
            scheme=scheme,
            batch=8 if file_format == "onnx" else 1,
        )
        expected, found = torch_logits(variant, weights, images), RUN[file_format](data, images)
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
        slope = float((found * expected).sum() / (expected**2).sum())
        assert slope == pytest.approx(1, abs=0.05), "no factor is lost"


@pytest.mark.parametrize("scheme", FORMATS["onnx"].schemes)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_int8_onnx_operator_is_within_one_code_of_the_reference(variant: str, scheme: str) -> None:
    architecture = replace(VARIANTS[variant], resolution=min(17, VARIANTS[variant].resolution))
    weights, images = case(architecture)
    ranges = true_ranges(architecture, weights, images)
    data = encode(lower(architecture), weights, precision="int8", ranges=ranges, scheme=scheme)
    found = list(onnx_operators_against_reference(data, np.random.default_rng(1)))
    weighted = {f"{op.name}.quantize" for op in lower(architecture).ops if op.weighted}
    assert weighted - {name for name, _ in found} <= {"head.classifier.quantize"}
    assert [row for row in found if row[1] > 1] == []


@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
def test_int8_without_ranges_has_the_nodes_of_int8_with_ranges(file_format: str) -> None:
    architecture = small()
    weights, images = case(architecture, count=4)
    ranges = true_ranges(architecture, weights, images)
    files = [
        encode(lower(architecture), weights, file_format=file_format, precision="int8", ranges=given)
        for given in (None, ranges)
    ]
    first, second = (_structure(data, file_format) for data in files)
    assert first == second
    assert files[0] != files[1]


def _structure(data: bytes, file_format: str) -> list[object]:
    if file_format == "onnx":
        return [(node.op_type, node.name, *node.input) for node in onnx.load_model_from_string(data).graph.node]
    from ai_edge_litert.schema_py_generated import ModelT

    graph = ModelT.InitFromPackedBuf(data, 0).subgraphs[0]
    return [(op.opcodeIndex, *op.inputs, *op.outputs) for op in graph.operators] + [
        (tensor.name, tensor.type, *tensor.shape) for tensor in graph.tensors
    ]


@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
def test_any_operation_can_stay_in_floating_point(file_format: str) -> None:
    architecture = small()
    weights, images = case(architecture, count=4)
    graph = lower(architecture)
    everything = [op.name for op in graph.ops]
    ranges = true_ranges(architecture, weights, images)
    expected = torch_logits(architecture, weights, images)

    def loss(float_ops: list[str]) -> float:
        data = encode(
            graph, weights, file_format=file_format, precision="int8", ranges=ranges, float_ops=float_ops,
            batch=4 if file_format == "onnx" else 1,
        )  # fmt: skip
        return error(RUN[file_format](data, images), expected)

    assert loss(everything) < 1e-5
    for name in everything[1:]:
        assert loss([name]) < 0.5, name
    assert loss([]) > 1e-3


def pooling(height: int, width: int) -> tuple[Graph, dict[str, np.ndarray]]:
    """A graph that gives the mean of each of 16 channels: identities around a global average pool.

    Behind a convolution, since ONNX Runtime then pools in its blocked layout, as in every network.
    """
    ops = (
        Op(kind="input", name="input", shape=TensorShape(16, height, width)),
        Op(kind="conv", name="conv", inputs=("input",), shape=TensorShape(16, height, width), block="stem"),
        Op(kind="pool", name="pool", inputs=("conv",), shape=TensorShape(16, 1, 1), block="head"),
        Op(kind="fc", name="fc", inputs=("pool",), shape=TensorShape(16, 1, 1), block="head"),
    )
    identity = np.eye(16, dtype=np.float32)
    weights = {"conv.weight": identity[:, :, None, None], "fc.weight": identity}
    return Graph(ops=ops, norm_eps=1e-5), weights | dict.fromkeys(("conv.bias", "fc.bias"), np.zeros(16, np.float32))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
@pytest.mark.parametrize("size", [(300, 300), (149, 131)], ids=["300 x 300", "prime extents"])
def test_large_maps_are_averaged_without_piling_up_rounding_errors(
    size: tuple[int, int], file_format: str, precision: str
) -> None:
    graph, weights = pooling(*size)
    images = np.random.default_rng(0).normal(1, 1, (1, 16, *size)).astype(np.float32)
    expected = images.mean((2, 3), dtype=np.float64)
    found = RUN[file_format](encode(graph, weights, file_format=file_format, precision=precision), images)
    # In one step the runtimes are 4e-6 to 1e-5 off in fp32.
    assert error(found, expected) < (2e-3 if (file_format, precision) == ("onnx", "fp16") else 1e-6)


def test_maps_up_to_128_pixels_are_averaged_in_one_step_as_the_latency_tables_measured() -> None:
    for precision in ("fp32", "int8"):
        model = onnx.load_from_string(encode(*pooling(128, 128), precision=precision))
        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count("GlobalAveragePool") == 1 and "AveragePool" not in kinds


def test_nodes_are_named_after_the_operations_of_the_graph() -> None:
    graph = lower(published("mobilenet_v3_small"))
    weights = random_weights(graph, np.random.default_rng(0))
    blocks = {op.block for op in graph.ops if op.block}
    for precision in ("fp32", "fp16", "int8"):
        nodes = onnx.load_from_string(encode(graph, weights, precision=precision)).graph.node
        named = [node.name for node in nodes if node.op_type in ("Conv", "Gemm")]
        assert named == [op.name for op in graph.ops if op.weighted]
        inside = [name for name in (node.name for node in nodes) if any(name.startswith(f"{b}.") for b in blocks)]
        assert len(inside) >= len(nodes) - 2


def test_dynamic_batch_takes_any_number_of_images() -> None:
    architecture = small()
    weights, images = case(architecture, count=5)
    data = encode(lower(architecture), weights, batch=None)
    together = run_onnx(data, images)
    one_by_one = np.concatenate([run_onnx(data, image[None]) for image in images])
    assert together.shape == (5, 7)
    assert np.allclose(together, one_by_one, rtol=1e-4, atol=1e-5)


def test_metadata_is_in_the_file() -> None:
    architecture = small()
    weights, _ = case(architecture)
    model = onnx.load_from_string(encode(lower(architecture), weights, metadata={"edgenas.labels": "a\nb"}))
    assert {entry.key: entry.value for entry in model.metadata_props} == {"edgenas.labels": "a\nb"}
    data = encode(lower(architecture), weights, file_format="tflite", metadata={"edgenas.labels": "a\nb"})
    from ai_edge_litert.schema_py_generated import ModelT

    loaded = ModelT.InitFromPackedBuf(data, 0)
    entry = loaded.metadata[0]
    assert entry.name == b"edgenas.labels"
    assert bytes(loaded.buffers[entry.buffer].data) == b"a\nb"


def test_same_input_gives_the_same_bytes() -> None:
    architecture = small()
    weights, _ = case(architecture)
    for file_format in RUN:
        first, second = (encode(lower(architecture), weights, file_format=file_format) for _ in range(2))
        assert first == second


def test_int8_tflite_is_full_integer_where_asked() -> None:
    from ai_edge_litert.schema_py_generated import ModelT, TensorType

    architecture = published("mobilenet_v3_small")
    weights, _ = case(architecture)
    data = encode(lower(architecture), weights, file_format="tflite", precision="int8", scheme="int8_io")
    types = {tensor.type for tensor in ModelT.InitFromPackedBuf(data, 0).subgraphs[0].tensors}
    assert types == {TensorType.INT8, TensorType.INT32}


def test_weight_buffers_are_aligned_to_sixteen_bytes() -> None:
    from ai_edge_litert.schema_py_generated import Model

    architecture = small()
    weights, _ = case(architecture)
    data = encode(lower(architecture), weights, file_format="tflite")
    model = Model.GetRootAs(data)
    offsets = []
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            offsets.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(offsets) > 10
    assert all(offset % 16 == 0 for offset in offsets)


def test_folding_refuses_foreign_weights_and_names_the_layer() -> None:
    weights, _ = case(small())
    with pytest.raises(WeightsError, match=r"head\.classifier\.weight"):
        fold(lower(small(classes=8)), weights)
    del weights["stages.1.0.expand.norm.running_var"]
    with pytest.raises(WeightsError, match=r"stages\.1\.0\.expand\.norm\.running_var"):
        fold(lower(small()), weights)


def test_impossible_requests_are_refused_by_name() -> None:
    graph, (weights, _) = lower(small()), case(small())
    for wrong, text in [
        ({"file_format": "onxx"}, "did you mean 'onnx'"),
        ({"precision": "int4"}, "unknown precision"),
        ({"precision": "int8", "scheme": "int8_io"}, "qdq_u8s8"),
        ({"precision": "int8", "float_ops": ["stages.9"]}, "stages.9"),
        ({"file_format": "tflite", "batch": None}, "fixed batch"),
        ({"batch": 0}, "positive"),
    ]:
        with pytest.raises(ExportError, match=text):
            encode(graph, weights, **wrong)
    ranges = synthetic_ranges(graph)
    del ranges["stages.0.0.scale"]
    with pytest.raises(ExportError, match=r"stages\.0\.0\.scale"):
        encode(graph, weights, precision="int8", ranges=ranges)


def test_dead_channels_and_huge_biases_survive_int8() -> None:
    architecture = small()
    weights, images = case(architecture, count=4)
    name = "stages.1.0.expand"
    weights[f"{name}.norm.weight"][:3] = 0
    weights[f"{name}.norm.bias"][:3] = (0.0, 1.5, 1e-4)
    ranges = true_ranges(architecture, weights, images)
    expected = torch_logits(architecture, weights, images)
    for file_format, run in RUN.items():
        data = encode(
            lower(architecture), weights, file_format=file_format, precision="int8", ranges=ranges,
            batch=4 if file_format == "onnx" else 1,
        )  # fmt: skip
        assert np.corrcoef(run(data, images).ravel(), expected.ravel())[0, 1] > 0.99


def test_every_runtime_reads_a_format_that_is_written_and_others_are_refused() -> None:
    assert {name: file_format_of(name) for name in ("ort", "litert")} == {"ort": "onnx", "litert": "tflite"}
    assert {FORMATS[name].runtime for name in RUN} == {"ort", "litert"}
    with pytest.raises(ExportError, match="did you mean 'litert'"):
        file_format_of("litetr")
    with pytest.raises(ExportError, match="unknown file format"):
        encode(lower(published("mobilenet_v3_small")), {}, file_format="onxx")


@pytest.mark.parametrize("scheme", ["qdq_u8s8", "qdq_s8s8"])
def test_int8_onnx_weights_cannot_saturate_the_sums_of_processors_without_vnni(scheme: str) -> None:
    graph = lower(published("mobilenet_v3_small"))
    weights = random_weights(graph, np.random.default_rng(0))
    data = encode(graph, weights, precision="int8", ranges=synthetic_ranges(graph), scheme=scheme)
    model = onnx.load_model_from_string(data)
    codes = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name.endswith(".weight.codes")]
    largest = max(int(np.abs(array.astype(int)).max()) for array in codes)
    assert len(codes) == sum(op.weighted for op in graph.ops) and largest == 64
    assert 2 * 255 * largest <= np.iinfo(np.int16).max
