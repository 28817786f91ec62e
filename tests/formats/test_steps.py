"""int8 steps that the runtime takes, whatever the sizes of the branches; each operator against exact arithmetic."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.deploy.counts import require_one_partition
from edgenas.errors import ExportError
from edgenas.formats import encode, fold, random_weights
from edgenas.formats.quantise import range_of, weight_steps
from edgenas.formats.steps import _raise_sum, choose_steps, gate_step, raise_product

sys.path.insert(0, str(Path(__file__).parent))
from integers import operators_against_reference  # noqa: E402
from networks import run_onnx, run_tflite, small, true_ranges  # noqa: E402

SCALES = (0.0, 1e-8, 1e-4, 1e-2, 1e2, 1e4)
PLACES = ("stages.0.0.project", "stages.1.0.expand", "stages.1.1.conv", "stages.1.2.project", "stem.conv", "head.conv")
FORMS = {"hard_swish": "hard_sigmoid", "silu": "sigmoid", "relu": "sigmoid", "relu6": None}


def scaled(activation: str, place: str, scale: float, seed: int = 0):
    """A network of which one layer gives values of another size, its weights, images and ranges."""
    architecture = small(resolution=17, activation=activation, gate=FORMS[activation])
    graph, rng = lower(architecture), np.random.default_rng(seed)
    weights = random_weights(graph, rng)
    names = {op.name for op in graph.ops if op.weighted}
    assert place in names, sorted(names)
    for part in ("weight", "bias"):
        weights[f"{place}.norm.{part}"] *= np.float32(scale)
    images = rng.standard_normal((2, 3, 17, 17)).astype(np.float32)
    return architecture, weights, images, true_ranges(architecture, weights, images)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("place", PLACES)
def test_a_branch_of_any_size_gives_files_that_run_in_one_piece(place: str, scale: float) -> None:
    for activation in FORMS:
        architecture, weights, images, ranges = scaled(activation, place, scale)
        graph = lower(architecture)
        data = encode(graph, weights, file_format="tflite", precision="int8", ranges=ranges)
        require_one_partition(data)
        coded = encode(graph, weights, precision="int8", ranges=ranges, batch=2)
        expected = run_onnx(encode(graph, weights, batch=None), images)
        for found in (run_tflite(data, images), run_onnx(coded, images)):
            # Eight bits cannot hold what a branch 10,000 times too large leaves of the others.
            tolerance = 0.35 if scale <= 1 else 2.0
            assert np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-30), activation


@pytest.mark.parametrize("activation", FORMS)
@pytest.mark.parametrize(("place", "scale"), [("stem.conv", 1.0), *((place, 1e-6) for place in PLACES[:3]),
                                             *((place, 1e4) for place in PLACES[:4])])  # fmt: skip
def test_every_int8_operator_is_within_one_code_of_exact_arithmetic(activation: str, place: str, scale: float) -> None:
    architecture, weights, _, ranges = scaled(activation, place, scale)
    data = encode(lower(architecture), weights, file_format="tflite", precision="int8", ranges=ranges)
    found = list(operators_against_reference(data, np.random.default_rng(1)))
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD"} <= {kind for kind, _, _ in found}
    assert [row for row in found if row[2] > 1] == []


@pytest.mark.parametrize("top", [5.0, 700.0, 800.0, 5e3, 5e4])
def test_hard_swish_of_large_inputs_does_not_wrap_around(top: float) -> None:
    architecture, weights, _, ranges = scaled("hard_swish", "stem.conv", 1.0)
    name = next(op.inputs[0] for op in lower(architecture).ops if op.activation == "hard_swish")
    ranges |= {name: (-3.0, top), lower(architecture).ops[2].name: (-0.375, top)}
    data = encode(lower(architecture), weights, file_format="tflite", precision="int8", ranges=ranges)
    require_one_partition(data)
    found = list(operators_against_reference(data, np.random.default_rng(2)))
    assert [row for row in found if row[2] > 1] == []


def test_an_input_beyond_every_gate_is_refused_by_name() -> None:
    architecture, weights, _, ranges = scaled("hard_swish", "stem.conv", 1.0)
    ranges["stem.conv"] = (-1e6, 1e6)
    with pytest.raises(ExportError, match=r"stem\.conv\.act.*too large for an int8 hard-swish"):
        encode(lower(architecture), weights, file_format="tflite", precision="int8", ranges=ranges)


def test_the_gate_keeps_its_256_codes_and_reaches_6_exactly() -> None:
    assert gate_step(0.05) == 6 / 255
    for source in (2.9, 3.1, 10.0, 300.0):
        step = gate_step(source)
        assert step is not None and step >= 6 / 255 and 6 / step == pytest.approx(round(6 / step))
        assert (255 * source + 3) / step < 2**15 - 256 < (255 * source + 3) / (step * 0.5)
    assert gate_step(1e3) is None


def test_ordinary_ranges_keep_the_steps_that_cover_them() -> None:
    architecture, weights, _, ranges = scaled("hard_swish", "stem.conv", 1.0)
    graph = lower(architecture)
    folded = fold(graph, weights, gate="relu6", late_factors={op.name for op in graph.ops})
    for name, (step, zero) in choose_steps(folded, ranges).items():
        low, high = range_of(folded.by_name()[name], ranges)
        assert step == pytest.approx((max(high, 0) - min(low, 0)) / 255, rel=1e-6)
        assert zero == round(-min(low, 0) / step)


def test_ratios_stay_within_what_the_runtime_takes() -> None:
    for scale in (1e-8, 1e4):
        for place in PLACES:
            architecture, weights, _, ranges = scaled("relu", place, scale)
            folded = fold(lower(architecture), weights, gate="relu6")
            steps = {name: affine.step for name, affine in choose_steps(folded, ranges).items()}
            for op in folded.ops:
                ratios = [steps[name] / steps[op.name] for name in op.inputs]
                if op.op.kind == "add":
                    assert min(ratios) >= 2**-10 and sum(ratios) <= 2**15 / 255
                elif op.op.weighted:
                    assert ratios[0] * weight_steps(op, steps[op.inputs[0]], steps[op.name]).max() < 2**8
                elif op.op.kind == "mul":
                    assert 2**-16 <= ratios[0] * steps[op.inputs[1]] < 2**8


def test_operations_in_floating_point_limit_no_step() -> None:
    architecture, weights, _, ranges = scaled("relu", "stages.1.2.project", 1e-8)
    folded = fold(lower(architecture), weights, gate="relu6")
    bound, free = (choose_steps(folded, ranges, float_ops=ops)["stages.1.2.project"].step
                   for ops in ((), {op.name for op in folded.ops}))  # fmt: skip
    assert bound > 10 * free


def test_each_ratio_is_brought_just_inside_its_limit() -> None:
    made = {"a": 1e4, "b": 1e4, "out": 1.0}
    _raise_sum(("a", "b"), "out", made)
    assert 2**15 * 0.9 < 255 * (made["a"] + made["b"]) / made["out"] < 2**15
    made = {"a": 1e6, "out": 1.0}
    raise_product("a", 1.0, "out", made)
    assert 2**8 * 0.98 < made["a"] / made["out"] < 2**8
    made = {"a": 1e-9, "out": 1.0}
    raise_product("a", 1.0, "out", made)
    assert 2**-16 < made["a"] / made["out"] < 2**-16 * 1.02
