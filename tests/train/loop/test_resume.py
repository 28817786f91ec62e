"""A training goes on within an epoch, at the step where it was stopped, and on Ctrl-C it keeps that step."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgenas.data import AugmentSettings, ImageData
from edgenas.errors import TrainingError
from edgenas.train import TrainSettings, fit
from edgenas.train.loop.losses import BrokenLoss, EpochLosses

Make = Callable[..., nn.Module]
PLAIN = TrainSettings(epochs=3, batch_size=32, learning_rate=1e-2)
EVERYTHING = replace(
    PLAIN, accumulation=2, averaging_decay=0.9, label_smoothing=0.1, keep="best",
    augment=AugmentSettings(crop_padding=1, jitter=0.1, erase_probability=0.2, mixup_alpha=0.2),
)  # fmt: skip
ALWAYS = 1e-9


def weights(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]


class Killed(Exception):
    """As if the process had been killed: nothing is kept."""


def kill_at(step: int) -> Callable[[int, int, str], None]:
    def told(done: int, total: int, unit: str) -> None:
        if done == step:
            raise Killed

    return told


# Six steps an epoch: within the first epoch, at the last step of one, at the first of one, and before the very end.
@pytest.mark.parametrize("settings", [PLAIN, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("step", [3, 6, 7, 17])
def test_a_training_killed_at_any_step_ends_with_the_same_weights_and_history(
    data: ImageData, make_model: Make, tmp_path: Path, settings: TrainSettings, step: int
) -> None:
    whole, resumed = make_model(), make_model(seed=4)
    expected = fit(whole, data, settings)
    often = replace(settings, checkpoint_minutes=ALWAYS)
    with pytest.raises(Killed):
        fit(make_model(), data, often, checkpoint_dir=tmp_path, progress=kill_at(step))
    torch.rand(3)
    steps: list[int] = []
    found = fit(resumed, data, often, checkpoint_dir=tmp_path, progress=lambda done, *_: steps.append(done))
    # The step at which it was killed had not been kept yet.
    assert steps[0] == step
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
    assert [replace(r, seconds=0.0) for r in found.history] == [replace(r, seconds=0.0) for r in expected.history]
    assert 0 < found.waiting_share < 1 and found.images_per_second > 0


def test_nothing_is_kept_within_an_epoch_before_it_is_time(
    data: ImageData, make_model: Make, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        fit(make_model(), data, PLAIN, checkpoint_dir=tmp_path, progress=kill_at(9))
    assert [file.name for file in sorted(tmp_path.iterdir())] == [
        "checkpoint-00001-00000006.safetensors", "checkpoint.json",
    ]  # fmt: skip
    with pytest.raises(Killed):
        fit(make_model(), data, PLAIN, checkpoint_dir=tmp_path / "b", progress=kill_at(9), spacing_seconds=60)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interrupt_keeps_the_step_that_was_under_way(
    data: ImageData, make_model: Make, tmp_path: Path, number: int
) -> None:
    class Interrupts(nn.Module):
        def __init__(self, at: int) -> None:
            super().__init__()
            self.model, self.at, self.calls = make_model(), at, 0

        def forward(self, images: Tensor) -> Tensor:
            self.calls += 1
            if self.calls == self.at:
                os.kill(os.getpid(), number)
            return self.model(images)

    whole, resumed = Interrupts(-1), Interrupts(-1)
    fit(whole, data, PLAIN)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        fit(Interrupts(3), data, PLAIN, checkpoint_dir=tmp_path)
    assert signal.getsignal(number) is before
    steps: list[int] = []
    fit(resumed, data, PLAIN, checkpoint_dir=tmp_path, progress=lambda done, *_: steps.append(done))
    assert steps[0] == 4
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))


def test_a_second_interrupt_ends_it_at_once(data: ImageData, make_model: Make, tmp_path: Path) -> None:
    calls: list[int] = []

    def impatient(done: int, total: int, unit: str) -> None:
        calls.append(done)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        calls.append(-1)

    with pytest.raises(KeyboardInterrupt):
        fit(make_model(), data, PLAIN, checkpoint_dir=tmp_path, progress=impatient)
    assert calls == [1] and not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_not_kept_within_an_epoch(data: ImageData, tmp_path: Path) -> None:
    class Breaks(nn.Module):
        def __init__(self, at: int) -> None:
            super().__init__()
            self.layer, self.calls, self.at = nn.Linear(64, 3), 0, at
            self.layer.weight.register_hook(self._spoil)

        def _spoil(self, gradient: Tensor) -> Tensor:
            self.calls += 1
            return gradient * float("nan") if self.calls == self.at else gradient

        def forward(self, images: Tensor) -> Tensor:
            return self.layer(images.flatten(1))

    often = replace(PLAIN, checkpoint_minutes=ALWAYS)
    with pytest.raises(TrainingError, match=r"layer.weight is not finite at step 2 \(epoch 0\).*last good state"):
        fit(Breaks(3), data, often, checkpoint_dir=tmp_path)
    steps: list[int] = []
    fit(Breaks(-1), data, often, checkpoint_dir=tmp_path, progress=lambda done, *_: steps.append(done))
    assert steps[0] == 3


def test_losses_are_looked_at_in_windows_and_the_first_broken_one_is_named() -> None:
    found: list[BrokenLoss] = []

    def refuse(broken: BrokenLoss) -> None:
        found.append(broken)
        raise TrainingError("broken")

    losses = EpochLosses(4, refuse)
    for step in range(4):
        losses.add(torch.tensor(float(step)), step / 10)
    losses.add(torch.tensor(float("inf")), 0.4)
    losses.add(torch.tensor(float("nan")), 0.5)
    losses.add(torch.tensor(1.0), 0.6)
    assert not found and len(losses) == 7
    with pytest.raises(TrainingError):
        losses.add(torch.tensor(2.0), 0.7)
    assert found == [BrokenLoss(4, 0.4, float("inf"))]
    rest = EpochLosses(4, refuse)
    rest.add(torch.tensor(float("nan")), 0.1)
    with pytest.raises(TrainingError):
        rest.settle()


def test_stored_losses_come_back_with_their_mean_to_the_bit() -> None:
    values = torch.rand(11, generator=torch.Generator().manual_seed(0))
    whole, part = EpochLosses(4, pytest.fail), EpochLosses(4, pytest.fail)
    for value in values:
        whole.add(value, 0.0)
    for value in values[:6]:
        part.add(value, 0.0)
    again = EpochLosses(4, pytest.fail)
    again.load(part.values())
    for value in values[6:]:
        again.add(value, 0.0)
    assert len(again) == 11 and torch.equal(again.values(), values)
    assert again.values().mean() == whole.values().mean()
