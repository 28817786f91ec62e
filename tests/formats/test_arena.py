"""Planned memory: the planners by hand, the plan against LiteRT's own arena, the estimate below the plan."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ship import litert_arena, written
from edgenas.arch import lower
from edgenas.cost import peak_activation_bytes
from edgenas.cost.planned import planned_bytes
from edgenas.cost.planning import FOREVER, Buffer, best_fit, first_fit
from edgenas.deploy.recipe import FileSpec
from edgenas.deploy.shipping import arena_draft, shipped_arena
from edgenas.errors import ExportError
from edgenas.space import load

FLOAT = FileSpec(name="a.tflite", format="tflite")
CODED = FileSpec(name="b.tflite", format="tflite", precision="int8")
WHOLE = FileSpec(name="c.tflite", format="tflite", precision="int8", scheme="int8_io")


def test_buffers_of_different_times_share_addresses_and_others_do_not() -> None:
    apart, together = [Buffer(100, 0, 1), Buffer(50, 2, 3)], [Buffer(100, 0, 2), Buffer(50, 2, 3)]
    assert (best_fit(apart, alignment=1), first_fit(apart, alignment=1)) == (100, 100)
    assert (best_fit(together, alignment=1), first_fit(together, alignment=1)) == (150, 150)
    assert (best_fit(together), first_fit(together)) == (128 + 50, 112 + 64)
    assert best_fit([]) == first_fit([]) == 0


def test_what_stays_to_the_end_comes_first_and_a_gap_is_filled_by_what_fits_best() -> None:
    image = Buffer(64, 0, FOREVER)
    assert best_fit([Buffer(640, 1, 2), image]) == 64 + 640
    # 300 lies above 200 while both are needed; later 64 and 128 fill the gap below it.
    buffers = [Buffer(300, 1, 4), Buffer(320, 0, 1), Buffer(192, 3, 4), Buffer(64, 3, 4)]
    assert best_fit(buffers, alignment=64) == 320 + 300


def test_of_equal_buffers_the_later_one_is_placed_first_as_in_tensorflow_lite_micro() -> None:
    buffers = [Buffer(16, 0, 1), Buffer(16, 1, 2), Buffer(16, 2, 3), Buffer(16, 0, 3)]
    assert first_fit(buffers) == 48


@pytest.mark.parametrize("file", [FLOAT, CODED, WHOLE], ids=lambda file: file.name)
@pytest.mark.parametrize("name", ["tiny", "mobilenet_v4"])
def test_the_plan_is_the_arena_of_litert_to_the_byte(name: str, file: FileSpec) -> None:
    space = load(name)
    for code in space.sample(2, np.random.default_rng(5)):
        network = space.decode(code)
        constants = {n for n, tensor in enumerate(arena_draft(network, file).file.tensors) if tensor.buffer}
        assert shipped_arena(network, file, "litert") == litert_arena(written(network, file, 1), constants)


def test_an_estimate_is_between_the_peak_of_activations_and_the_plan() -> None:
    space = load("tiny")
    for code in space.sample(20, np.random.default_rng(3)):
        network = space.decode(code)
        graph, image = lower(network), network.resolution**2 * network.in_channels
        for numbers, file in (("fp32", FLOAT), ("int8", WHOLE)):
            size = 4 if numbers == "fp32" else 1
            plan = shipped_arena(network, file, "litert")
            said = planned_bytes(graph, numbers, in_place=True, patches=True) + size * image
            assert 0.8 * plan <= said <= plan + size * image
            assert planned_bytes(graph, numbers, in_place=True) >= 0.6 * peak_activation_bytes(graph, numbers)


def test_what_the_interpreter_of_tensorflow_lite_micro_keeps_grows_with_its_operators() -> None:
    space = load("tiny")
    small, large = space.decode(space.smallest()), space.decode(space.largest())
    assert shipped_arena(small, WHOLE, "tflite_micro") < shipped_arena(large, WHOLE, "tflite_micro")
    assert shipped_arena(small, WHOLE, "tflite_micro") > shipped_arena(small, WHOLE, "litert")


def test_the_memory_of_an_onnx_file_is_not_planned() -> None:
    space = load("tiny")
    with pytest.raises(ExportError, match="planned for TFLite only; got onnx"):
        shipped_arena(space.decode(space.smallest()), FileSpec(name="a.onnx", format="onnx"), "litert")
