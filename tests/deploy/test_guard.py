"""What the guard tries and in which order, what it keeps, and where it stops; files and drops are made up."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgenas.arch import Architecture
from edgenas.deploy import FileSpec, GuardSpec, Recipe
from edgenas.deploy.quantise import guard as room
from edgenas.deploy.quantise.guard import Guard, Quantisation
from edgenas.deploy.recipe import CalibrationSpec
from edgenas.errors import ExportError

FILE = FileSpec(name="model.int8.onnx", format="onnx", precision="int8")
FLOATS = {"of": "the float network"}


class Images:
    """A split that gives back which images are asked for."""

    labels = "labels"

    def __init__(self, name: str, count: int = 500) -> None:
        self.name, self.count = name, count

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Any) -> tuple[str, int]:
        return self.name, indices


class Rounded:
    """A simulator that notes what it was made of; its weights are new ones each time."""

    def __init__(self, graph, weights, ranges, *, float_ops, weight_limit) -> None:
        self.made_of = (weights, ranges, tuple(float_ops), weight_limit)
        self.done: list[Any] = []

    def weights(self, graph: Any) -> dict[str, Any]:
        return {"after": self.done, "from": self.made_of[0]}


class Stage:
    """A guard whose every file has the drop (a share, or a share and its agreement) that is told in advance."""

    def __init__(self, monkeypatch, architecture: Architecture, drops: Iterable[Any], **changes: Any) -> None:
        self.encoded: list[dict[str, Any]] = []
        self.simulators: list[Rounded] = []
        self.observed: list[dict[str, Any]] = []
        self.tuned: list[dict[str, Any]] = []
        self.losses = [SimpleNamespace(name=f"op{place}") for place in range(12)]
        script = iter(drops)

        def judged(*_: Any) -> SimpleNamespace:
            given = next(script)
            drop, agreement = given if isinstance(given, tuple) else (given, 0.5)
            return SimpleNamespace(drop=SimpleNamespace(value=drop), top1_agreement=agreement)

        def simulator(*args: Any, **options: Any) -> Rounded:
            self.simulators.append(Rounded(*args, **options))
            return self.simulators[-1]

        def encode(graph: Any, weights: Any, **options: Any) -> bytes:
            self.encoded.append({"weights": weights, **options})
            return f"file {len(self.encoded)}".encode()

        def tune(one: Rounded, images: Any, **options: Any) -> None:
            one.done.append("tuned")
            self.tuned.append({"simulator": one, "images": images(0), **options})

        stubs = {
            "encode": encode,
            "open_file": lambda data, file_format: None,
            "logits_of_split": lambda *_, **__: None,
            "compare": judged,
            "split_batches": lambda split, preprocessing, limit: (split.name, limit),
            "observe": lambda graph, weights, batches, **options: self.observed.append({"of": batches, **options}),
            "ranges": lambda observed, method: {"method": method},
            "chosen_images": lambda split, limit: limit,
            "Simulator": simulator,
            "correct_biases": lambda one, images: one.done.append(images),
            "diagnose": lambda one, images, progress: self.losses,
            "fine_tune": tune,
            "Batches": lambda split, preprocessing, batch_size: (split.name, batch_size),
            "EndlessBatches": lambda batches, **options: SimpleNamespace(
                next=lambda: SimpleNamespace(images=(batches, options))
            ),
        }
        for name, stub in stubs.items():
            monkeypatch.setattr(room, name, stub)
        monkeypatch.setattr("edgenas.deploy.counts.require_one_partition", lambda data: None)
        recipe = {key: changes.pop(key) for key in ("calibration",) if key in changes}
        train = changes.pop("train", Images("train"))
        self.guard = Guard(
            architecture, FLOATS, Recipe(name="test", files=(FILE,), guard=GuardSpec(**changes), **recipe),
            train=train, validation=Images("validation"), reference=np.zeros((500, 7), np.float32),
            preprocessing=SimpleNamespace(apply=lambda images: images),
        )  # type: ignore[arg-type]  # fmt: skip

    def base(self, **changes: Any) -> Quantisation:
        return Quantisation(**{"weights": FLOATS, "ranges": {"x": (0.0, 1.0)}, "steps": ("start",), **changes})


@pytest.fixture
def stage(monkeypatch, architecture: Architecture):
    return lambda *drops, **changes: Stage(monkeypatch, architecture, drops, **changes)


@pytest.mark.parametrize("drop", [-0.5, 0.0, 0.00995, 0.01])
def test_a_file_within_the_limit_gets_no_remedy(stage, drop: float) -> None:
    one = stage(drop)
    found = one.guard.quantise(FILE)
    assert found.within_limit and found.data == b"file 1" and found.diagnosis == ()
    assert found.trials == (("calibration percentile", pytest.approx(100 * drop)),)
    assert found.quantisation.weights is FLOATS and found.quantisation.ranges == {"method": "percentile"}


@pytest.mark.parametrize("drop", [0.0100001, 0.01005])
def test_a_file_beyond_the_limit_gets_the_remedies_until_one_helps(stage, drop: float) -> None:
    one = stage(drop, 0.5, 0.01, remedies=("calibration", "bias_correction"))
    found = one.guard.quantise(FILE)
    assert [words for words, _ in found.trials] == [
        "calibration percentile", "calibration minmax", "calibration mse"
    ]  # fmt: skip
    assert [points for _, points in found.trials][1:] == pytest.approx([50, 1])
    assert found.within_limit and found.data == b"file 3"


def test_every_other_calibration_is_tried_and_the_one_of_the_recipe_only_once(stage) -> None:
    one = stage(0.3, 0.2, 0.4, remedies=("calibration",), calibration=CalibrationSpec(method="minmax"))
    found = one.guard.quantise(FILE)
    assert [words for words, _ in found.trials] == [
        "calibration minmax", "calibration percentile", "calibration mse"
    ]  # fmt: skip
    assert found.data == b"file 2" and not found.within_limit


def test_of_equal_drops_the_file_that_agrees_more_often_with_torch_is_kept(stage) -> None:
    one = stage((0.3, 0.8), (0.3, 0.9), (0.3, 0.7), remedies=("calibration",))
    assert one.guard.quantise(FILE).data == b"file 2"
    one = stage((0.3, 0.8), (0.3, 0.8), (0.4, 0.9), remedies=("calibration",))
    assert one.guard.quantise(FILE).data == b"file 1"


def test_a_remedy_starts_from_the_best_so_far(stage) -> None:
    one = stage(0.3, 0.1, 0.2, 0.05, remedies=("calibration", "bias_correction"))
    found = one.guard.quantise(FILE)
    assert found.trials[3] == ("calibration minmax, bias correction", pytest.approx(5.0))
    (simulator,) = one.simulators
    assert simulator.made_of == (FLOATS, {"method": "minmax"}, (), 64)
    assert simulator.done == [("train", 128)] and found.quantisation.uncorrected is FLOATS


@pytest.mark.parametrize(("file_format", "limit"), [("onnx", 64), ("tflite", 127)])
def test_what_is_simulated_has_the_weight_codes_of_the_file_format(stage, file_format: str, limit: int) -> None:
    one = stage(0.3, 0.3, remedies=("bias_correction",))
    one.guard.quantise(FileSpec(name=f"model.{file_format}", format=file_format, precision="int8", batch=2))
    assert one.simulators[0].made_of[3] == limit


def test_the_file_is_written_as_the_recipe_says(stage) -> None:
    for batch, wanted in ((0, None), (1, 1), (4, 4)):
        one = stage(0.0)
        one.guard.quantise(FileSpec(name="m.onnx", format="onnx", precision="int8", scheme="qdq_s8s8", batch=batch))
        assert one.encoded == [{
            "weights": FLOATS, "file_format": "onnx", "precision": "int8", "ranges": {"method": "percentile"},
            "scheme": "qdq_s8s8", "float_ops": (), "batch": wanted, "architecture": one.guard.architecture,
        }]  # fmt: skip


@pytest.mark.parametrize(("count", "total"), [(500, 40), (40, 40), (12, 12)])
def test_the_float_network_is_observed_once_on_as_many_images_as_there_are(stage, count: int, total: int) -> None:
    one = stage(0.3, 0.3, 0.3, remedies=("calibration",), calibration=CalibrationSpec(images=40),
                train=Images("train", count))  # fmt: skip
    one.guard.quantise(FILE)
    assert one.observed == [{"of": ("train", 40), "progress": None, "total": total}]


def test_a_file_that_stays_above_the_limit_is_an_error_only_where_the_recipe_says_so(stage) -> None:
    found = stage(0.3, *[0.3] * 9, remedies=("exclude_layers",)).guard.quantise(FILE)
    assert not found.within_limit and [loss.name for loss in found.diagnosis] == [f"op{place}" for place in range(10)]
    with pytest.raises(ExportError, match=r"most at op0, op1, op2\).*30.00 points.*allowed: 1 points"):
        stage(0.3, *[0.3] * 9, remedies=("exclude_layers",), required=True).guard.quantise(FILE)
    with pytest.raises(ExportError, match="after every remedy; got 20.00 points"):
        stage(0.2, remedies=(), required=True).guard.quantise(FILE)
    assert stage(0.01, required=True).guard.quantise(FILE).within_limit


@pytest.mark.parametrize(
    ("most", "counts"), [(0, []), (1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]),
                         (99, [1, 2, 4, 8, 11])]
)  # fmt: skip
def test_ever_twice_as_many_of_the_worst_operations_stay_in_floating_point(stage, most: int, counts: list) -> None:
    one = stage(exclude_layers=most)
    # The input of the graph is among what is diagnosed, and is no operation.
    one.losses[0] = SimpleNamespace(name=one.guard.graph.input.name)
    found = list(one.guard._exclusions(one.base()))
    assert [way.float_ops for way in found] == [tuple(f"op{i + 1}" for i in range(count)) for count in counts]
    words = [f"{n} operation{'s' if n > 1 else ''} in floating point" for n in counts]
    assert [way.steps for way in found] == [("start", said) for said in words]
    assert one.simulators[0].made_of[0] is FLOATS and one.guard.diagnosis is one.losses


def test_after_a_correction_each_choice_is_tried_without_one_and_with_one_of_its_own(stage) -> None:
    one = stage(exclude_layers=2)
    corrected = one.base(weights={"was": "corrected"}, uncorrected=FLOATS, steps=("start", "bias correction", "more"))
    found = list(one.guard._exclusions(corrected))
    assert [(len(way.float_ops), way.steps[-1], way.uncorrected) for way in found] == [
        (1, "1 operation in floating point", None), (1, "bias correction", FLOATS),
        (2, "2 operations in floating point", None), (2, "bias correction", FLOATS),
    ]  # fmt: skip
    assert found[0].steps == ("start", "more", "1 operation in floating point")
    assert found[0].weights is FLOATS and found[1].weights["from"] is FLOATS
    assert [simulator.made_of[0] for simulator in one.simulators] == [FLOATS] * 3
    assert [simulator.made_of[2] for simulator in one.simulators] == [(), ("op0",), ("op0", "op1")]


def test_a_diagnosis_looks_at_thirty_two_images_of_the_validation(stage, monkeypatch) -> None:
    one, seen = stage(), []
    monkeypatch.setattr(room, "diagnose", lambda simulator, images, progress: seen.append(images) or [])
    assert list(one.guard._exclusions(one.base())) == [] and seen == [("validation", 32)]


@pytest.mark.parametrize("steps", [0, 1, 200])
def test_fine_tuning_learns_from_the_float_weights_for_as_many_steps_as_wanted(stage, steps: int) -> None:
    one = stage(fine_tune_steps=steps, fine_tune_learning_rate=0.5)
    base = one.base(weights={"was": "corrected"}, uncorrected=FLOATS, float_ops=("op1",))
    found = list(one.guard._fine_tuning(base))
    if not steps:
        assert found == [] and one.tuned == []
        return
    (way,), (tuned,) = found, one.tuned
    assert way.steps == ("start", f"{steps} steps of quantisation-aware fine-tuning") and way.uncorrected is None
    assert way.weights == {"after": ["tuned"], "from": {"was": "corrected"}} and way.float_ops == ("op1",)
    assert (tuned["steps"], tuned["learning_rate"]) == (steps, 0.5)
    assert tuned["simulator"].made_of[:3] == ({"was": "corrected"}, base.ranges, ("op1",))
    assert tuned["teacher"].made_of[:3] == (FLOATS, base.ranges, ())
    batches, options = tuned["images"]
    assert batches == ("train", 32) and (options["seed"], options["classes"]) == (0, 7)
