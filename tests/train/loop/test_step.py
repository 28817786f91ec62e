"""One optimizer step: parts, clipping, memory that runs out."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from edgenas.data.batches import Batch
from edgenas.errors import ConfigError, TrainingError
from edgenas.train import TrainSettings
from edgenas.train.loop.step import PartLoss, StepOutcome, Stepper
from edgenas.train.losses import batch_loss

BATCH = Batch(images=torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0)), labels=torch.arange(16) % 3)


class Limited(nn.Module):
    """Runs out of memory above a number of images; otherwise linear."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.layer = nn.Linear(64, 3)
        nn.init.zeros_(self.layer.weight)
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.layer(images.flatten(1))


def stepper(model: nn.Module, **values: object) -> Stepper:
    settings = TrainSettings(batch_size=16, **values)  # type: ignore[arg-type]
    return Stepper(model, settings, device=torch.device("cpu"), section="train")


def step(by: Stepper, rate: float, *, times: int = 1) -> StepOutcome:
    """Take a step down the cross-entropy, so many times over."""

    def losses(part: Batch) -> Iterator[PartLoss]:
        for _ in range(times):
            with by.precision.autocast():
                logits = by.model(part.images)
            right = (logits.argmax(1) == part.labels).sum()
            yield PartLoss(batch_loss(logits, part, TrainSettings(), None), right)

    return by.step(BATCH, rate, losses)


def test_parts_of_a_batch_give_the_gradient_of_the_whole() -> None:
    models = [Limited(16), Limited(16)]
    models[1].load_state_dict(models[0].state_dict())
    losses = [
        step(stepper(model, accumulation=k, optimizer="sgd"), 0.1).loss
        for model, k in zip(models, (1, 3), strict=True)
    ]
    assert torch.allclose(losses[0], losses[1])
    assert torch.allclose(models[0].layer.weight, models[1].layer.weight, atol=1e-6)
    assert models[1].seen == [6, 5, 5]


def test_when_memory_runs_out_the_batch_is_halved_once_and_that_is_said() -> None:
    model, whole = Limited(8), Limited(16)
    whole.load_state_dict(model.state_dict())
    halved = stepper(model, optimizer="sgd")
    outcome = step(halved, 0.1)
    expected = step(stepper(whole, optimizer="sgd"), 0.1)
    assert outcome.right == expected.right and torch.allclose(outcome.loss, expected.loss)
    assert model.seen == [16, 8, 8]
    assert halved.accumulation == 2
    assert len(halved.notes) == 1 and "2 parts" in halved.notes[0]
    assert torch.allclose(model.layer.weight, whole.layer.weight, atol=1e-6)
    step(halved, 0.1)
    assert model.seen[3:] == [8, 8]


def test_the_message_of_the_allocator_of_the_cpu_counts_and_other_errors_do_not() -> None:
    class Broken(Limited):
        def forward(self, images: Tensor) -> Tensor:
            if len(images) > 8:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 B")
            if len(images) < 8:
                raise RuntimeError("shapes do not fit")
            return super().forward(images)

    halved = stepper(Broken(16))
    step(halved, 0.1)
    assert halved.accumulation == 2
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        step(stepper(Broken(16), accumulation=4), 0.1)


def test_when_memory_runs_out_twice_the_training_ends() -> None:
    with pytest.raises(TrainingError, match="out of memory.*train.batch_size"):
        step(stepper(Limited(4)), 0.1)


def test_clipping_bounds_the_gradient() -> None:
    model = Limited(16)
    before = model.layer.weight.clone()
    step(stepper(model, optimizer="sgd", momentum=0.0, weight_decay=0.0, clip_norm=1e-3), 1.0)
    change = (model.layer.weight - before).norm()
    assert 0 < change <= 1.001e-3


def test_a_step_goes_down_the_sum_of_its_losses_one_graph_after_the_other() -> None:
    once, twice = Limited(16), Limited(16)
    twice.load_state_dict(once.state_dict())
    plain = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0}
    single = step(stepper(once, **plain), 0.2)
    double = step(stepper(twice, accumulation=2, **plain), 0.1, times=2)
    assert torch.allclose(double.loss, 2 * single.loss) and double.right == 2 * single.right
    assert torch.allclose(once.layer.weight, twice.layer.weight, atol=1e-6)


def test_half_precision_is_refused_where_it_cannot_train(make_model: Callable[..., nn.Module]) -> None:
    with pytest.raises(ConfigError, match="fp16 trains on CUDA only"):
        stepper(make_model(), precision="fp16")


def test_bfloat16_takes_a_step_near_that_of_full_precision(make_model: Callable[..., nn.Module]) -> None:
    losses = [step(stepper(make_model(dropout=0.0), precision=name), 1e-3).loss for name in ("fp32", "bf16")]
    assert losses[0] != losses[1]
    assert torch.allclose(losses[0], losses[1], rtol=0.05)
