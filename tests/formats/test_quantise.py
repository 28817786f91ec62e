"""The arithmetic of int8 by hand: steps, zeros, weights, biases, ranges."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.errors import ExportError
from edgenas.formats import FORMATS
from edgenas.formats.fold import FoldedOp
from edgenas.formats.quantise import affine, quantise_layer, range_of, synthetic_ranges, weight_steps


def layer(weight: list, bias: list, **options: object) -> FoldedOp:
    op = SimpleNamespace(name="conv", weighted=True)
    arrays = {"weight": np.array(weight, np.float32), "bias": np.array(bias, np.float32)}
    return FoldedOp(op=op, inputs=("x",), source="conv", **(arrays | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bounds", "step", "zero"),
    [
        ((-1.0, 4.1), 0.02, 50),
        ((0.5, 5.1), 0.02, 0),
        ((-5.1, -0.5), 0.02, 255),
        ((-2.55, 0.0), 0.01, 255),
        ((0.0, 0.0), 1e-12, 0),
    ],
)
def test_256_codes_cover_a_range_and_zero(bounds: tuple[float, float], step: float, zero: int) -> None:
    found = affine(bounds)
    assert found.step == pytest.approx(step, rel=1e-6) and found.zero == zero
    assert found.step == float(np.float32(found.step))


def test_a_step_is_no_smaller_than_asked() -> None:
    assert affine((-1.0, 1.0), step=0.5) == (0.5, 2)
    assert affine((-1.0, 4.1), step=0.001).step == pytest.approx(0.02)
    # So coarse a step has no code for the low end, and 0 stays a code.
    assert affine((-300.0, 0.0), step=1.0).zero == 255


def test_weights_are_coded_by_the_largest_of_their_channel_and_biases_by_both_steps() -> None:
    op = layer([[1.27, -0.5], [-0.254, 0.1]], [0.3, -0.2])
    found = quantise_layer(op, 0.1, 0.1)
    assert found.weight_steps == pytest.approx([0.01, 0.002]) and found.weight_steps.dtype == np.float32
    assert found.weight.tolist() == [[127, -50], [-127, 50]] and found.weight.dtype == np.int8
    assert found.bias_steps == pytest.approx([0.001, 0.0002]) and found.bias_steps.dtype == np.float32
    assert found.bias.tolist() == [300, -1000] and found.bias.dtype == np.int32


@pytest.mark.parametrize(("file_format", "largest"), [("onnx", 64), ("tflite", 127)])
def test_the_largest_code_is_that_of_the_format(file_format: str, largest: int) -> None:
    assert FORMATS[file_format].weight_limit == largest
    weight = np.random.default_rng(0).normal(size=(3, 2, 3, 3))
    op = layer(weight.tolist(), [0.0, 0.0, 0.0])
    found = quantise_layer(op, 0.1, 0.1, limit=FORMATS[file_format].weight_limit)
    assert found.weight.shape == (3, 2, 3, 3)
    assert np.abs(found.weight).reshape(3, -1).max(axis=1).tolist() == [largest] * 3
    steps = np.abs(weight).reshape(3, -1).max(axis=1) / largest
    assert found.weight_steps == pytest.approx(steps, rel=1e-6)
    assert found.weight * steps[:, None, None, None] == pytest.approx(weight, abs=steps.max() * 0.51)


def test_without_a_limit_the_codes_go_to_127() -> None:
    op = layer([[1.0]], [0.0])
    assert weight_steps(op, 0.1, 0.1).tolist() == pytest.approx([1 / 127])
    assert quantise_layer(op, 0.1, 0.1).weight.tolist() == [[127]]


def test_a_bias_that_is_too_large_for_its_step_widens_the_step_to_30_bits() -> None:
    op = layer([[1e-8], [1e-8]], [4.0, -8.0])
    found = quantise_layer(op, 0.5, 1e-9)
    assert found.weight_steps == pytest.approx([4.0 / 0.5 / 2**30, 8.0 / 0.5 / 2**30], rel=1e-6, abs=0)
    assert np.abs(found.bias).tolist() == pytest.approx([2**30, 2**30], rel=1e-6)


def test_a_factor_below_the_range_of_the_runtimes_widens_the_step() -> None:
    op = layer([[1e-12]], [0.0])
    # Weight step times input step over output step is 2^-31.
    assert weight_steps(op, 0.25, 2.0) == pytest.approx([2.0 / 0.25 / 2**31], rel=1e-6, abs=0)


def test_a_range_is_that_of_its_source_in_the_units_of_the_folded_value() -> None:
    op = layer([[1.0]], [0.0])
    assert range_of(op, {"conv": (-1.0, 2.0)}) == (-1.0, 2.0)
    assert range_of(replace(op, scale=6.0), {"conv": (-1.0, 2.0)}) == (-6.0, 12.0)
    assert range_of(op, {"conv": (2.0, 2.0)}) == (2.0, 2.0)


def test_a_fused_activation_starts_at_zero_and_an_own_one_does_not() -> None:
    fused = layer([[1.0]], [0.0], activation="relu", scale=2.0)
    assert range_of(fused, {"conv": (0.5, 2.0)}) == (0.0, 4.0)
    assert range_of(fused, {"conv": (-3.0, -1.0)}) == (0.0, 0.0)
    own = replace(fused, op=SimpleNamespace(name="act", weighted=False))
    assert range_of(own, {"conv": (-0.5, 2.0)}) == (-1.0, 4.0)


@pytest.mark.parametrize("bounds", [(math.nan, 1.0), (0.0, math.nan), (-math.inf, 1.0), (0.0, math.inf), (2.0, 1.0)])
def test_a_range_that_is_none_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ExportError, match="is not one"):
        range_of(layer([[1.0]], [0.0]), {"conv": bounds})
    with pytest.raises(ExportError, match="no calibrated range for conv"):
        range_of(layer([[1.0]], [0.0]), {"other": (0.0, 1.0)})


def test_ranges_without_images_are_those_of_their_activations_and_always_the_same() -> None:
    kinds = ("", "relu", "relu6", "hard_swish", "silu", "sigmoid", "hard_sigmoid")
    graph = SimpleNamespace(ops=[SimpleNamespace(name=f"op.{kind}", activation=kind) for kind in kinds])
    found = synthetic_ranges(graph)
    highs = np.random.default_rng(0).uniform(2, 8, size=len(kinds))
    lows = {"": -highs[0], "relu": 0.0, "hard_swish": -0.375, "silu": -0.279}
    wanted = {f"op.{kind}": (low, highs[kinds.index(kind)]) for kind, low in lows.items()}
    wanted |= {"op.relu6": (0.0, 6.0), "op.sigmoid": (0.0, 1.0), "op.hard_sigmoid": (0.0, 1.0)}
    assert found == wanted
