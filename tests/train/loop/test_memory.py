"""Memory that runs out while judging, in recalibration, and in the state of a training that changes its precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgenas.data import ImageData
from edgenas.data.batches import Batch
from edgenas.train import TrainSettings, evaluate, fit
from edgenas.train.loop.memory import Room
from edgenas.train.loop.step import Precision, Stepper

SETTINGS = TrainSettings(epochs=2, batch_size=32, averaging_decay=0.5, recalibration_images=64, workers=1)


class Limited(nn.Module):
    """Runs out of memory above a number of images, outside of training steps."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.layer = nn.Linear(4 * 36, 3)
        self.most = most
        self.failed: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        normed = self.norm(self.convolution(images))
        # After the norm, so that a failed attempt has changed its statistics already.
        if not torch.is_grad_enabled() and len(images) > self.most:
            self.failed.append(len(images))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.layer(normed.flatten(1))


def made(most: int) -> Limited:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Limited(most)


def test_recalibration_and_judging_go_on_in_smaller_parts(data: ImageData) -> None:
    limited, free = made(8), made(10**6)
    found, expected = fit(limited, data, SETTINGS), fit(free, data, SETTINGS)
    trained = dict(free.named_parameters())
    assert all(torch.equal(value, trained[name]) for name, value in limited.named_parameters())
    # Means over batches of 8 and of 32 images: the same mean, nearly the same variance.
    assert torch.allclose(limited.norm.running_mean, free.norm.running_mean, atol=1e-6)
    assert torch.allclose(limited.norm.running_var, free.norm.running_var, rtol=0.1)
    assert found.validation_accuracy == pytest.approx(expected.validation_accuracy, abs=0.1)
    judged = evaluate(limited, data.validation, found.preprocessing)
    assert np.array_equal(judged.predictions, evaluate(limited, data.validation, found.preprocessing).predictions)
    limited.most = 10**6
    assert np.array_equal(judged.predictions, evaluate(limited, data.validation, found.preprocessing).predictions)


def test_work_is_repeated_in_halves_until_two_images_do_not_fit_either() -> None:
    room = Room(torch.device("cpu"), images=16)
    batch = Batch(images=torch.zeros(16, 1), labels=torch.zeros(16, dtype=torch.int64))
    sizes: list[list[int]] = []

    def work() -> None:
        sizes.append([len(part.labels) for part in room.split(batch, least=2)])
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        room.do(work)
    assert sizes == [[16], [8, 8], [4] * 4, [2] * 8]
    with pytest.raises(RuntimeError, match="shapes"):
        room.do(lambda: (_ for _ in ()).throw(RuntimeError("shapes do not fit")))


@pytest.mark.parametrize(("first", "then"), [("fp32", "bf16"), ("bf16", "fp32")])
def test_a_training_goes_on_in_another_precision_and_says_so(
    data: ImageData, tmp_path: Path, first: str, then: str
) -> None:
    models = [made(10**6), made(10**6)]
    settings = replace(SETTINGS, averaging_decay=None)
    part = fit(models[0], data, replace(settings, precision=first), checkpoint_dir=tmp_path, stop_after_epochs=1)  # type: ignore[arg-type]
    found = fit(models[1], data, replace(settings, precision=then), checkpoint_dir=tmp_path)  # type: ignore[arg-type]
    assert found.history[0] == part.history[0] and found.complete
    assert found.notes == (f"The training began in {first} and went on in {then}.",)


def stepper(dtype: torch.dtype | None) -> Stepper:
    made_in = Stepper(made(8), SETTINGS, device=torch.device("cpu"), section="train")
    made_in.precision = Precision(dtype=dtype, device_type="cpu")
    made_in.scaler = torch.amp.GradScaler("cpu", enabled=dtype is torch.float16)
    return made_in


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_the_scale_of_fp16_is_kept_by_fp16_alone(dtype: torch.dtype | None) -> None:
    half, other = stepper(torch.float16), stepper(dtype)
    half.scaler.scale(torch.ones(1))
    half.scaler.update(1024.0)
    other.load_facts(half.facts)
    assert not other.scaler.is_enabled() and "began in fp16 and went on in" in other.notes[0]
    # A training that began without a scale begins with torch's first one.
    again, new = stepper(torch.float16), stepper(torch.float16)
    again.load_facts(other.facts)
    assert again.scaler.get_scale() == torch.amp.GradScaler("cpu").get_scale()
    new.load_facts(half.facts)
    assert new.scaler.get_scale() == 1024.0 and not new.notes
