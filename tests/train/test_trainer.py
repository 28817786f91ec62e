"""The whole training: it learns, repeats itself, and goes on exactly where it stopped."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgenas.data import AugmentSettings, ImageData
from edgenas.errors import TrainingError, WeightsError
from edgenas.train import FitResult, TrainSettings, evaluate, fit

Make = Callable[..., nn.Module]
SETTINGS = TrainSettings(epochs=4, batch_size=32, learning_rate=1e-2)
EVERYTHING = TrainSettings(
    epochs=4,
    batch_size=32,
    accumulation=2,
    optimizer="sgd",
    learning_rate=0.05,
    averaging_decay=0.9,
    label_smoothing=0.1,
    clip_norm=1.0,
    keep="best",
    augment=AugmentSettings(crop_padding=1, jitter=0.1, randaugment_ops=1, erase_probability=0.2, mixup_alpha=0.2),
)


def weights(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def without_time(result: FitResult) -> list[object]:
    return [replace(record, seconds=0.0) for record in result.history]


@pytest.mark.parametrize("values", [{}, {"averaging_decay": 0.9}, {"optimizer": "sgd", "learning_rate": 0.1}])
def test_it_learns_a_learnable_task(data: ImageData, make_model: Make, values: dict[str, object]) -> None:
    model = make_model()
    result = fit(model, data, replace(SETTINGS, epochs=20, **values))  # type: ignore[arg-type]
    # Guessing gives 0.33.
    assert result.validation_accuracy > 0.9
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert result.complete and result.stopped == "epochs" and result.steps == 120
    judged = evaluate(model, data.validation, result.preprocessing)
    assert judged.value == result.validation_accuracy
    assert judged.standard_error == result.validation_standard_error
    assert evaluate(model, data.test, result.preprocessing).value > 0.8


@pytest.mark.parametrize("settings", [SETTINGS, EVERYTHING], ids=["plain", "everything"])
def test_the_seed_decides_the_weights_bit_for_bit(data: ImageData, make_model: Make, settings: TrainSettings) -> None:
    models = [make_model(), make_model(), make_model()]
    torch.manual_seed(1)
    fit(models[0], data, settings)
    torch.manual_seed(2)
    fit(models[1], data, settings)
    fit(models[2], data, replace(settings, seed=7))
    assert equal(weights(models[0]), weights(models[1]))
    assert not equal(weights(models[0]), weights(models[2]))


@pytest.mark.parametrize("settings", [SETTINGS, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_training_ends_with_the_same_weights_bit_for_bit(
    data: ImageData, make_model: Make, tmp_path: Path, settings: TrainSettings, stop: int
) -> None:
    whole, first, second = make_model(), make_model(), make_model(seed=5)
    expected = fit(whole, data, settings)
    part = fit(first, data, settings, checkpoint_dir=tmp_path, stop_after_epochs=stop)
    assert not part.complete and part.stopped == "stop_after_epochs" and len(part.history) == stop
    resumed = fit(second, data, settings, checkpoint_dir=tmp_path)
    assert resumed.complete
    assert equal(weights(whole), weights(second))
    assert without_time(resumed) == without_time(expected)
    assert resumed.validation_accuracy == expected.validation_accuracy


def test_a_training_killed_within_an_epoch_resumes_to_the_same_weights(
    data: ImageData, make_model: Make, tmp_path: Path
) -> None:
    def kill(done: int, total: int, _: str) -> None:
        if done == 15:  # the third of six steps of epoch 2
            raise KeyboardInterrupt

    whole, resumed = make_model(), make_model()
    fit(whole, data, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(), data, SETTINGS, checkpoint_dir=tmp_path, progress=kill)
    fit(resumed, data, SETTINGS, checkpoint_dir=tmp_path)
    assert equal(weights(whole), weights(resumed))


def test_a_finished_training_is_not_trained_again(data: ImageData, make_model: Make, tmp_path: Path) -> None:
    model, again = make_model(), make_model(seed=9)
    result = fit(model, data, EVERYTHING, checkpoint_dir=tmp_path)
    calls: list[int] = []
    repeated = fit(again, data, EVERYTHING, checkpoint_dir=tmp_path, progress=lambda done, *_: calls.append(done))
    assert not calls
    assert equal(weights(model), weights(again))
    assert repeated.seconds == result.seconds


def test_a_checkpoint_of_another_training_or_network_is_refused(
    data: ImageData, make_model: Make, tmp_path: Path
) -> None:
    fit(make_model(), data, SETTINGS, checkpoint_dir=tmp_path, stop_after_epochs=1)
    with pytest.raises(WeightsError, match="another training; got learning_rate 0.01 .now 0.02"):
        fit(make_model(), data, replace(SETTINGS, learning_rate=0.02), checkpoint_dir=tmp_path)
    with pytest.raises(WeightsError, match="of another network"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), data, SETTINGS, checkpoint_dir=tmp_path)


def test_a_model_with_another_number_of_classes_is_refused(data: ImageData, make_model: Make) -> None:
    with pytest.raises(WeightsError, match=r"\(32, 5\).*\(32, 3\)"):
        fit(make_model(classes=5), data, SETTINGS)


class Explodes(nn.Module):
    """Returns nan from a given call in training on."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 3)
        self.step = step
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        logits = self.layer(images.flatten(1))
        if self.training:
            self.calls += 1
            if self.calls > self.step:
                logits = logits * float("nan")
        return logits


def test_a_loss_that_is_not_finite_names_its_step_and_keeps_the_last_good_checkpoint(
    data: ImageData, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"not finite at step 14 \(epoch 2\); got nan"):
        fit(Explodes(14), data, SETTINGS, checkpoint_dir=tmp_path)
    healthy = Explodes(10_000)
    result = fit(healthy, data, SETTINGS, checkpoint_dir=tmp_path)
    assert result.complete
    assert all(torch.isfinite(value).all() for value in healthy.state_dict().values())


def test_weights_that_broke_in_the_last_step_of_an_epoch_are_not_saved(data: ImageData, tmp_path: Path) -> None:
    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 3)
            self.layer.weight.register_hook(self._spoil)
            self.calls = 0

        def _spoil(self, gradient: Tensor) -> Tensor:
            self.calls += 1
            return gradient * float("nan") if self.calls == 12 else gradient

        def forward(self, images: Tensor) -> Tensor:
            return self.layer(images.flatten(1))

    with pytest.raises(TrainingError, match=r"layer.weight is not finite at step 11 \(epoch 1\)"):
        fit(Breaks(), data, SETTINGS, checkpoint_dir=tmp_path)
    resumed = fit(Explodes(10_000), data, SETTINGS, checkpoint_dir=tmp_path, stop_after_epochs=1)
    assert len(resumed.history) == 1


def test_a_training_whose_seconds_pass_before_its_first_step_takes_one(
    data: ImageData, make_model: Make, tmp_path: Path
) -> None:
    found = fit(make_model(), data, replace(SETTINGS, epochs=100, seconds=1e-9), checkpoint_dir=tmp_path)
    assert found.steps == 1 and found.stopped == "seconds"
    assert math.isfinite(found.history[0].train_loss)


def test_steps_and_seconds_end_a_training(data: ImageData, make_model: Make) -> None:
    by_steps = fit(make_model(), data, replace(SETTINGS, epochs=None, steps=8))
    assert (by_steps.steps, by_steps.stopped, len(by_steps.history)) == (8, "steps", 2)
    assert by_steps.history[-1].learning_rate < SETTINGS.learning_rate / 10
    by_clock = fit(make_model(), data, replace(SETTINGS, epochs=100_000, seconds=0.3))
    assert by_clock.stopped == "seconds"
    assert 0 < by_clock.steps < 600_000


def test_progress_counts_steps_and_epochs_are_reported(data: ImageData, make_model: Make) -> None:
    calls: list[tuple[int, int, str]] = []
    records: list[int] = []
    fit(
        make_model(),
        data,
        replace(SETTINGS, epochs=2),
        progress=lambda *told: calls.append(told),
        on_epoch=lambda record: records.append(record.step),
    )
    assert calls == [(step, 12, "steps") for step in range(1, 13)]
    assert records == [6, 12]


def test_a_teacher_pulls_the_student_towards_its_answers(data: ImageData, make_model: Make) -> None:
    class Stubborn(nn.Module):
        """Says class 2 to everything, whatever the labels."""

        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor([[0.0, 0.0, 9.0]]).expand(len(images), 3)

    settings = replace(SETTINGS, epochs=15, distillation_weight=1.0)
    student = make_model()
    result = fit(student, data, settings, teacher=Stubborn())
    assert set(evaluate(student, data.validation, result.preprocessing).predictions) == {2}


def test_a_teacher_answers_in_evaluation_mode_and_gets_its_mode_back(data: ImageData, make_model: Make) -> None:
    modes: set[bool] = set()

    class Watching(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            modes.add(self.training)
            return torch.zeros(len(images), 3)

    teacher = Watching()
    fit(make_model(), data, replace(SETTINGS, epochs=1), teacher=teacher)
    assert modes == {False}
    assert teacher.training


@pytest.mark.parametrize("every", [1, 5], ids=["judged", "not judged before the stop"])
def test_averaged_weights_are_kept_with_statistics_of_their_own(data: ImageData, make_model: Make, every: int) -> None:
    model = make_model(dropout=0.0)
    settings = replace(
        SETTINGS, learning_rate=0.05, averaging_decay=0.99, recalibration_images=192, evaluate_every=every
    )
    result = fit(model, data, settings, stop_after_epochs=2)
    images = torch.from_numpy(result.preprocessing.apply(data.train.read(np.arange(192))))
    seen = model[0](images)  # type: ignore[index]
    assert torch.allclose(model[1].running_mean, seen.mean((0, 2, 3)), atol=1e-5)  # type: ignore[index]
    assert result.validation_accuracy == evaluate(model, data.validation, result.preprocessing).value


def test_the_best_weights_are_those_with_the_best_validation_accuracy(data: ImageData, make_model: Make) -> None:
    model = make_model()
    result = fit(model, data, replace(SETTINGS, epochs=12, learning_rate=0.2, warmup_share=0.0, keep="best"))
    assert result.validation_accuracy == result.best_validation_accuracy
    assert result.validation_accuracy == max(record.validation_accuracy or 0 for record in result.history)


def test_the_test_split_is_not_touched(data: ImageData, make_model: Make) -> None:
    class Untouchable:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"the test split was asked for {name}")

    blind = replace(data, test=Untouchable())  # type: ignore[arg-type]
    assert fit(make_model(), blind, replace(SETTINGS, epochs=1)).steps == 6


def test_half_precision_learns_too_and_keeps_weights_in_full_precision(data: ImageData, make_model: Make) -> None:
    model, teacher = make_model(), make_model(seed=3)
    fit(teacher, data, replace(SETTINGS, epochs=12))
    settings = replace(EVERYTHING, precision="bf16", epochs=12, keep="final", augment=AugmentSettings())
    seen: list[torch.dtype] = []
    model[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    result = fit(model, data, settings, teacher=teacher)
    assert torch.bfloat16 in seen
    assert all(value.dtype == torch.float32 for value in model.state_dict().values() if value.is_floating_point())
    assert result.validation_accuracy > 0.8
