"""Calibration, the simulator, diagnosis and remedies."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from edgenas import nn
from edgenas.arch import Architecture, lower
from edgenas.data import AugmentSettings
from edgenas.data.subset import chosen_images
from edgenas.deploy import FileSpec, GuardSpec, Recipe
from edgenas.deploy.accuracy import paired_drop, share
from edgenas.deploy.counts import count_onnx, count_tflite, require_one_partition, require_quantised
from edgenas.deploy.quantise.calibrate import METHODS, _record, observe, ranges
from edgenas.deploy.quantise.diagnose import correct_biases, diagnose, fine_tune
from edgenas.deploy.quantise.guard import Guard
from edgenas.deploy.quantise.simulate import Simulator
from edgenas.deploy.runners import logits_of_split, open_file, split_batches
from edgenas.errors import DataError, ExportError
from edgenas.formats import encode, random_weights
from edgenas.formats.registry import FORMATS


@pytest.fixture(scope="module")
def observed(trained):
    graph = lower(trained.architecture)
    return observe(graph, trained.weights, split_batches(trained.data.train, trained.preprocessing, limit=128))


def test_observed_extremes_are_those_of_the_torch_module(trained, observed) -> None:
    module = nn.build(trained.architecture)
    module.load_weights(trained.weights)
    module.eval()
    images = trained.data.train.read(chosen_images(trained.data.train, 128))
    with torch.no_grad():
        for op, value in module.activations(torch.from_numpy(trained.preprocessing.apply(images))):
            # A folded hard sigmoid's input is a sixth of the original; nobody asks for its range.
            if op.name in observed.extremes and not op.name.endswith("excite"):
                expected = (float(value.min()), float(value.max()))
                assert observed.extremes[op.name] == pytest.approx(expected, rel=1e-3, abs=1e-4), op.name
    assert observed.images == 128


def test_methods_never_widen_the_range(observed) -> None:
    full = ranges(observed, "minmax")
    for method in METHODS:
        for name, (low, high) in ranges(observed, method).items():
            assert full[name][0] <= low <= high <= full[name][1], (method, name)


def test_least_error_is_that_of_all_values_and_not_of_some_columns(observed) -> None:
    def loss(values: np.ndarray, low: float, high: float) -> float:
        low, high = min(low, 0.0), max(high, 0.0)
        step = (high - low) / 255 or 1.0
        zero = np.round(-low / step)
        codes = np.clip(np.round(values / step) + zero, 0, 255) - zero
        return float(np.mean((values - codes * step) ** 2))

    full, chosen = ranges(observed, "minmax"), ranges(observed, "mse")
    for name, (low, high) in chosen.items():
        values = observed.samples[name].astype(np.float64)
        best = min(loss(values, full[name][0] * share, full[name][1] * share) for share in np.linspace(0.3, 1, 29))
        assert loss(values, low, high) <= 1.2 * best + 1e-12, name


@pytest.mark.parametrize(("channels", "size"), [(480, 14), (1024, 7), (48, 8), (16, 112), (3, 224), (2, 5)])
def test_sampled_values_come_from_every_column(channels: int, size: int) -> None:
    # An activation whose values are the numbers of their columns, recorded as `observe` records them.
    value = np.broadcast_to(np.arange(size, dtype=np.float32), (1, channels, size, size))
    kept: dict[str, list[np.ndarray]] = {"x": []}
    _record("x", np.ascontiguousarray(value), {}, kept)
    counts = np.bincount(kept["x"][0].astype(int), minlength=size)
    assert counts.min() > 0
    assert counts.max() <= 1.3 * counts.min() + 1


def test_no_images_is_an_error_that_says_how_many(architecture: Architecture) -> None:
    graph = lower(architecture)
    with pytest.raises(DataError, match="256 are plenty"):
        observe(graph, random_weights(graph, np.random.default_rng(0)), [])


def test_simulator_gives_the_logits_of_both_files(trained, observed) -> None:
    graph, chosen = lower(trained.architecture), ranges(observed, "minmax")
    images = trained.preprocessing.apply(trained.data.validation.read(np.arange(64)))
    for file_format in ("onnx", "tflite"):
        simulator = Simulator(graph, trained.weights, chosen, weight_limit=FORMATS[file_format].weight_limit)
        with torch.no_grad():
            expected = simulator(torch.from_numpy(images)).numpy()
        spread = float(expected.std())
        data = encode(graph, trained.weights, file_format=file_format, precision="int8", ranges=chosen)
        found = open_file(data, file_format)(images)
        assert np.sqrt(np.mean((found - expected) ** 2)) < 0.03 * spread
        assert (found.argmax(1) == expected.argmax(1)).mean() > 0.95


@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
@pytest.mark.parametrize("name", ["stem.conv", "stages.0.0.depthwise", "stages.0.1.project", "stages.0.1.add"])
def test_simulator_with_operations_in_floating_point_gives_the_logits_of_the_files(
    trained, observed, name: str, file_format: str
) -> None:
    # Coarse ranges: what is rounded matters, and so does what is not.
    graph = lower(trained.architecture)
    coarse = {key: (3 * low, 3 * high) for key, (low, high) in ranges(observed, "minmax").items()}
    images = trained.preprocessing.apply(trained.data.validation.read(np.arange(64)))
    data = encode(
        graph, trained.weights, file_format=file_format, precision="int8", ranges=coarse, float_ops=[name]
    )
    found = open_file(data, file_format)(images)
    losses = []
    for float_ops in ([name], []):
        with torch.no_grad():
            simulator = Simulator(
                graph, trained.weights, coarse, float_ops=float_ops, weight_limit=FORMATS[file_format].weight_limit
            )
            expected = simulator(torch.from_numpy(images)).numpy()
        losses.append(float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std()))
    assert losses[0] < 0.12
    # An addition between integer operations is rounded at both ends all the same.
    assert losses[0] <= losses[1]


@pytest.mark.parametrize("name", ["stem.conv", "stages.0.0.depthwise", "stages.0.1.project", "head.classifier"])
def test_the_runtime_leaves_in_floating_point_what_is_to_stay_there(trained, observed, name: str) -> None:
    graph = lower(trained.architecture)
    chosen = ranges(observed, "minmax")
    data = encode(graph, trained.weights, precision="int8", ranges=chosen, float_ops=[name])
    counts = count_onnx(data)
    dense = name == "head.classifier"
    assert (counts.quantised_convolutions, counts.quantised_dense) == (12 - (not dense), 1 - dense)


def test_a_file_with_more_integer_kernels_than_wanted_is_refused(trained, observed) -> None:
    data = encode(lower(trained.architecture), trained.weights, precision="int8", ranges=ranges(observed, "minmax"))
    with pytest.raises(ExportError, match="as it should"):
        require_quantised(data, convolutions=11, dense=1)


def test_simulator_without_rounding_is_the_float_network(trained, observed) -> None:
    graph = lower(trained.architecture)
    simulator = Simulator(graph, trained.weights, ranges(observed, "minmax"))
    simulator.quantised = set()
    images = trained.preprocessing.apply(trained.data.validation.read(np.arange(8)))
    expected = open_file(encode(graph, trained.weights), "onnx")(images)
    with torch.no_grad():
        assert np.allclose(simulator(torch.from_numpy(images)).numpy(), expected, rtol=1e-3, atol=1e-4)
    # And its weights, taken out again, are the same network.
    again = open_file(encode(graph, simulator.weights(graph)), "onnx")(images)
    assert np.allclose(again, expected, rtol=1e-3, atol=1e-4)


def damaged(trained) -> dict[str, np.ndarray]:
    """The same float network, but with a range that wastes the codes of one layer: 2,000 in a dead channel."""
    weights = {name: array.copy() for name, array in trained.weights.items()}
    weights["stages.0.1.project.norm.weight"][0] = 0
    weights["stages.0.1.project.norm.bias"][0] = 2000
    weights["head.conv.weight"][:, 0] = 0
    return weights


def test_diagnosis_names_the_damaged_layer(trained) -> None:
    graph, weights = lower(trained.architecture), damaged(trained)
    observed = observe(graph, weights, split_batches(trained.data.train, trained.preprocessing, limit=64))
    simulator = Simulator(graph, weights, ranges(observed, "minmax"))
    images = trained.preprocessing.apply(trained.data.validation.read(np.arange(32)))
    before = set(simulator.quantised)
    worst = diagnose(simulator, images)
    # The layer that makes the value, and those that read it.
    assert {loss.name for loss in worst[:3]} == {"stages.0.1.project", "stages.0.1.add", "head.conv"}
    assert simulator.quantised == before


def test_bias_correction_restores_the_means(trained, observed) -> None:
    graph = lower(trained.architecture)
    coarse = {name: (2 * low, 2 * high) for name, (low, high) in ranges(observed, "minmax").items()}
    images = trained.preprocessing.apply(trained.data.train.read(np.arange(128)))
    expected = open_file(encode(graph, trained.weights), "onnx")(images).mean(0)

    def bias(simulator: Simulator) -> float:
        with torch.no_grad():
            return float(np.abs(simulator(torch.from_numpy(images)).numpy().mean(0) - expected).max())

    simulator = Simulator(graph, trained.weights, coarse)
    before = bias(simulator)
    correct_biases(simulator, images)
    assert bias(simulator) < 0.1 * before


def test_fine_tuning_brings_the_rounded_network_back_to_its_teacher(trained, observed) -> None:
    graph, chosen = lower(trained.architecture), ranges(observed, "minmax")
    teacher, simulator = (Simulator(graph, trained.weights, chosen) for _ in range(2))
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for op in simulator.folded.ops:
            if op.op.weighted:
                bias = simulator.bias_of(op)
                bias += torch.from_numpy(rng.normal(0, 0.2, len(bias)).astype(np.float32))
    images = trained.preprocessing.apply(trained.data.train.read(np.arange(256)))
    expected = open_file(encode(graph, trained.weights), "onnx")(images)

    def loss() -> float:
        with torch.no_grad():
            return float(np.mean((simulator(torch.from_numpy(images)).numpy() - expected) ** 2))

    before = loss()
    batches = torch.from_numpy(images).split(32)
    fine_tune(simulator, lambda step: batches[step % 8], steps=80, learning_rate=3e-3, teacher=teacher)
    assert loss() < 0.5 * before


@pytest.mark.parametrize("flip", [False, True])
def test_fine_tuning_mirrors_images_only_where_the_training_did(
    trained, flip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def look(simulator: Simulator, batches, *, steps: int, **_: object) -> None:
        seen.extend(batches(step).numpy() for step in range(steps))

    monkeypatch.setattr("edgenas.deploy.quantise.guard.fine_tune", look)
    file = FileSpec(name="model.int8.onnx", format="onnx", precision="int8")
    spec = GuardSpec(max_drop_points=0, remedies=("fine_tune",), fine_tune_steps=12)
    data = trained.data
    guard = Guard(
        trained.architecture,
        trained.weights,
        Recipe(name="test", files=(file,), guard=spec),
        train=data.train,
        validation=data.validation,
        # Nothing agrees with this, so that the remedy is tried.
        reference=np.eye(10, dtype=np.float32)[data.validation.labels],
        preprocessing=trained.preprocessing,
        augment=AugmentSettings(flip=flip),
    )
    guard.quantise(file)
    known = trained.preprocessing.apply(data.train.read(np.arange(len(data.train)))).reshape(len(data.train), -1)
    images = np.concatenate(seen).reshape(12 * 32, -1)
    share = np.mean([np.abs(known - image).max(1).min() < 1e-3 for image in images])
    assert len(seen) == 12 and (0.4 < share < 0.6 if flip else share == 1)


def test_guard_repairs_a_collapsing_network_step_by_step(trained) -> None:
    # Minmax over the damaged layer leaves its live channels a handful of codes.
    weights = damaged(trained)
    module = nn.build(trained.architecture)
    module.load_weights(weights)
    module.eval()
    with torch.no_grad():
        images = trained.preprocessing.apply(trained.data.validation.read(np.arange(len(trained.data.validation))))
        reference = module(torch.from_numpy(images)).numpy()
    recipe = Recipe(
        name="test",
        files=(FileSpec(name="model.int8.onnx", format="onnx", precision="int8"),),
        guard=GuardSpec(max_drop_points=0.0, remedies=("bias_correction", "exclude_layers")),
    )
    guard = Guard(
        trained.architecture, weights, recipe, train=trained.data.train, validation=trained.data.validation,
        reference=reference, preprocessing=trained.preprocessing,
    )  # fmt: skip
    judged = guard.quantise(recipe.files[0])
    assert judged.trials[0][1] > 0
    # A correction of biases is for what was rounded then: other operations in floating point start without it.
    corrected = next(guard._bias_correction(guard._calibrated("minmax")))
    plain, again = islice(guard._exclusions(corrected), 2)
    assert plain.float_ops == again.float_ops and "bias correction" in again.steps
    assert plain.weights is weights and "bias correction" not in plain.steps
    name = "stem.conv.norm.bias"
    assert not np.array_equal(corrected.weights[name], weights[name])
    expected = next(guard._bias_correction(plain)).weights
    assert all(np.array_equal(again.weights[key], expected[key]) for key in expected)
    assert judged.comparison.drop.value < judged.trials[0][1] / 100
    assert len(judged.trials) >= 2
    assert {"stages.0.1.project", "stages.0.1.add"} & set(judged.quantisation.float_ops)


def test_all_kernels_run_on_integers_and_in_one_partition(trained) -> None:
    graph = lower(trained.architecture)
    for scheme in ("qdq_u8s8", "qdq_s8s8"):
        data = encode(graph, trained.weights, precision="int8", scheme=scheme)
        counts = require_quantised(data, convolutions=12, dense=1, signed=scheme == "qdq_s8s8")
        assert (counts.quantised_convolutions, counts.convolutions) == (12, 12)
    for scheme in ("int8", "int8_io"):
        data = encode(graph, trained.weights, file_format="tflite", precision="int8", scheme=scheme)
        assert require_one_partition(data).delegates == 1


def test_missing_integer_kernels_fail_loudly(trained) -> None:
    graph = lower(trained.architecture)
    data = encode(graph, trained.weights)
    assert count_onnx(data).quantised_convolutions == 0
    with pytest.raises(ExportError, match="0 convolutions"):
        require_quantised(data, convolutions=12, dense=1)


def test_partitions_are_counted(architecture: Architecture) -> None:
    # XNNPACK does not take HARD_SWISH over int8; in place of a sigmoid it breaks the graph apart.
    graph = lower(replace(architecture, head=replace(architecture.head, activation="silu")))
    weights = random_weights(graph, np.random.default_rng(0))
    patched = bytearray(encode(graph, weights, file_format="tflite", precision="int8"))
    assert require_one_partition(bytes(patched)).covered
    from ai_edge_litert.schema_py_generated import BuiltinOperator, Model

    model = Model.GetRootAs(bytes(patched))
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        if code.BuiltinCode() == BuiltinOperator.LOGISTIC:
            # Deprecated code, version, code.
            for slot, width, value in (
                (4, 1, BuiltinOperator.HARD_SWISH),
                (8, 4, 1),
                (10, 4, BuiltinOperator.HARD_SWISH),
            ):
                at = code._tab.Pos + code._tab.Offset(slot)
                patched[at : at + width] = int(value).to_bytes(width, "little")
    assert count_tflite(bytes(patched)).delegates == 2
    with pytest.raises(ExportError, match="2 partitions"):
        require_one_partition(bytes(patched))


def test_intervals_are_those_of_the_textbook() -> None:
    # Wilson for 8 of 10: 0.4902 to 0.9433 (Brown 2001, table of intervals).
    interval = share(8, 10)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.4902, 0.9433)
    before = np.array([True] * 60 + [False] * 40)
    assert paired_drop(before, before).value == 0
    after = before.copy()
    after[:10] = False
    drop = paired_drop(before, after)
    assert drop.value == pytest.approx(0.1)
    assert 0.03 < drop.low < 0.1 < drop.high < 0.17


def test_a_fixed_batch_is_filled_up(trained) -> None:
    graph = lower(trained.architecture)
    split, preprocessing = trained.data.test, trained.preprocessing
    one = logits_of_split(open_file(encode(graph, trained.weights), "onnx"), split, preprocessing, limit=11)
    for file_format in ("onnx", "tflite"):
        data = encode(graph, trained.weights, file_format=file_format, batch=4)
        found = logits_of_split(open_file(data, file_format), split, preprocessing, limit=11)
        assert np.allclose(found, one, rtol=1e-3, atol=1e-4)


def test_a_broken_file_is_an_export_error() -> None:
    for file_format in ("onnx", "tflite"):
        with pytest.raises(ExportError):
            open_file(b"not a model", file_format)
