"""A GPU computes what a CPU computes. Run these with `pytest -m cuda` where there is one; nowhere else do they run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgenas.data import AugmentSettings, fit_preprocessing
from edgenas.data.batches import Batches
from edgenas.nn import build
from edgenas.supernet import Supernet, SupernetEvaluator, SupernetSettings, train_supernet
from edgenas.train import FitResult, TrainSettings, evaluate, fit
from edgenas.train.network import NetworkWork
from tests.supernet.samples import blobs, tiny_space

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
DATA = blobs(per_class=64)
SETTINGS = TrainSettings(epochs=4, batch_size=32, learning_rate=1e-2, precision="fp32")


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Let convolutions round as on a CPU, and be the same every time."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = False, True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = before


def network(*, dropout: float = 0.0) -> nn.Module:
    return build(tiny_space().decode(tiny_space().largest()), dropout=dropout, stochastic_depth=dropout)


def losses(result: FitResult) -> list[float]:
    return [record.train_loss for record in result.history]


def weights(model: nn.Module) -> list[Tensor]:
    return [value.cpu().clone() for value in model.state_dict().values()]


@pytest.mark.parametrize(("precision", "apart"), [("fp32", 2e-3), ("bf16", 0.1), ("fp16", 0.1)])
def test_the_losses_of_a_network_are_those_of_the_cpu(precision: str, apart: float) -> None:
    expected = fit(network(), DATA, SETTINGS)
    model = network()
    found = fit(model, DATA, replace(SETTINGS, precision=precision), device="cuda")  # type: ignore[arg-type]
    assert losses(found) == pytest.approx(losses(expected), abs=apart)
    assert found.validation_accuracy == pytest.approx(expected.validation_accuracy, abs=0.1)
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("scheme", ["sandwich", "progressive"])
def test_the_losses_of_a_supernet_are_those_of_the_cpu(scheme: str) -> None:
    found = []
    for device in ("cpu", "cuda"):
        net = Supernet(tiny_space())
        result = train_supernet(net, DATA, SupernetSettings(scheme=scheme, train=SETTINGS), device=device)
        judge = SupernetEvaluator(net, DATA, result.preprocessing, device=device)
        found.append(([record.train_loss for record in result.history], judge.evaluate([net.space.largest()]).accuracy))
    assert found[1][0] == pytest.approx(found[0][0], abs=5e-3)
    assert found[1][1] == pytest.approx(found[0][1], abs=0.1)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_training_killed_within_an_epoch_ends_with_the_same_weights(precision: str, tmp_path: Path) -> None:
    augment = AugmentSettings(flip=True, crop_padding=1, erase_probability=0.2, mixup_alpha=0.2)
    settings = replace(SETTINGS, precision=precision, averaging_decay=0.9, augment=augment)  # type: ignore[arg-type]
    whole, again = network(dropout=0.2), network(dropout=0.2)
    expected = fit(whole, DATA, settings, device="cuda")

    class Killed(Exception):
        pass

    def kill(done: int, total: int, unit: str) -> None:
        if done == 13:
            raise Killed

    often = replace(settings, checkpoint_minutes=1e-9)
    with pytest.raises(Killed):
        fit(network(dropout=0.2), DATA, often, checkpoint_dir=tmp_path, progress=kill, device="cuda")
    found = fit(again, DATA, often, checkpoint_dir=tmp_path, device="cuda")
    assert losses(found) == losses(expected)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(again), strict=True))


@pytest.mark.parametrize(("first", "then"), [("fp16", "bf16"), ("bf16", "fp16"), ("fp16", "fp32")])
def test_a_training_goes_on_in_another_precision(first: str, then: str, tmp_path: Path) -> None:
    part = replace(SETTINGS, precision=first)  # type: ignore[arg-type]
    fit(network(), DATA, part, checkpoint_dir=tmp_path, stop_after_epochs=2, device="cuda")
    model = network()
    found = fit(model, DATA, replace(SETTINGS, precision=then), checkpoint_dir=tmp_path, device="cuda")  # type: ignore[arg-type]
    assert found.complete and f"began in {first} and went on in {then}" in found.notes[0]
    assert all(torch.isfinite(value).all() for value in weights(model))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_step_makes_the_host_wait(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    once = NetworkWork.take_step

    def watched(work: NetworkWork, batch: object, budget: object) -> Tensor:
        torch.cuda.set_sync_debug_mode("error" if getattr(budget, "step", 0) > 2 else "default")
        try:
            return once(work, batch, budget)  # type: ignore[arg-type]
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(NetworkWork, "take_step", watched)
    augment = AugmentSettings(flip=True, crop_padding=1, mixup_alpha=0.2)
    settings = replace(SETTINGS, precision=precision, averaging_decay=0.9, clip_norm=1.0, augment=augment)  # type: ignore[arg-type]
    assert fit(network(dropout=0.2), DATA, settings, device="cuda").complete


def test_images_that_stay_on_the_gpu_are_those_that_are_copied() -> None:
    preprocessing = fit_preprocessing(DATA.train)
    kept, read, here = (
        Batches(DATA.train, preprocessing, batch_size=32, device=device, resident_limit_mib=limit)
        for device, limit in (("cuda", 4096), ("cuda", 0), ("cpu", 0))
    )
    streams = (batches.shuffled(seed=0, epoch=0, classes=4) for batches in (kept, read, here))
    for first, second, third in zip(*streams, strict=True):
        assert torch.equal(first.images, second.images) and torch.equal(first.labels, second.labels)
        assert torch.allclose(first.images.cpu(), third.images, atol=1e-6)


def test_a_batch_that_does_not_fit_is_judged_in_parts() -> None:
    class Greedy(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            if len(images) > 16:
                torch.empty(2**44, device=images.device)
            return images.mean((1, 2, 3))[:, None] * torch.ones(4, device=images.device)

    found = evaluate(Greedy(), DATA.validation, fit_preprocessing(DATA.train), device="cuda")
    assert found.count == len(DATA.validation)
