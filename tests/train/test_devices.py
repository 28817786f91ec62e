"""Everything of a training lies on the training device, and nothing makes the host wait for it.

No GPU is needed: the device is torch's `meta`, whose tensors have shapes but no values. An operation on tensors of two
devices fails, and so does whatever must know a value on the host (`.item()`, boolean indices).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgenas.data import AugmentSettings, fit_preprocessing
from edgenas.data.augment.draws import Draws
from edgenas.data.batches import Batch, Batches
from edgenas.nn import build
from edgenas.supernet import Supernet
from edgenas.supernet.judging.member import Member
from edgenas.supernet.training.members import MemberStepper
from edgenas.supernet.training.schemes import Members
from edgenas.train import TrainSettings
from edgenas.train.averaging import WeightAverage, recalibrate
from edgenas.train.loop.step import PartLoss, Stepper
from edgenas.train.losses import batch_loss, distillation_loss
from edgenas.train.teacher import Teacher
from tests.supernet.samples import blobs, mixed_space

FAKE = torch.device("meta")
SPACE = mixed_space()
SETTINGS = TrainSettings(batch_size=8, precision="bf16", accumulation=2, clip_norm=1.0, optimizer="sgd")


class OneDevice(TorchDispatchMode):
    """Refuses an operation on tensors of several devices, as FAKE does; single numbers may come from the host."""

    COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)

    def __torch_dispatch__(
        self, operation: Any, types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        values = [leaf for leaf in tree_leaves((args, dict(kwargs or {}))) if isinstance(leaf, Tensor)]
        devices = {value.device for value in values if value.dim()}
        if len(devices) > 1 and operation not in self.COPIES:
            raise RuntimeError(f"{operation} mixes {devices}")
        return operation(*args, **(kwargs or {}))


@pytest.fixture
def fake() -> Iterator[OneDevice]:
    with OneDevice() as mode:
        yield mode


def moved(model: nn.Module) -> nn.Module:
    """Put a model on the fake device."""
    for module in model.modules():
        for name, value in list(module._parameters.items()):
            if value is not None:
                module._parameters[name] = nn.Parameter(torch.empty(value.shape, device=FAKE))
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=FAKE)
    return model


def batch(size: int = 12) -> Batch:
    images = torch.empty(8, 1, size, size, device=FAKE).contiguous(memory_format=torch.channels_last)
    return Batch(images=images, labels=torch.empty(8, dtype=torch.int64, device=FAKE))


def on(model: nn.Module, settings: TrainSettings = SETTINGS) -> Stepper:
    made = Stepper(model, settings, device=torch.device("cpu"), section="train")
    made._device = FAKE
    return made


def plain() -> nn.Module:
    # Weights are drawn outside of the fake world, by a generator with values.
    return build(SPACE.decode(SPACE.largest()))


MODEL, OTHER, NET = plain(), plain(), Supernet(SPACE)
PREPROCESSING = fit_preprocessing(blobs(size=12).train)
TEACHER = Teacher(plain(), images=PREPROCESSING, own=PREPROCESSING)


def test_the_fake_device_fails_on_mixing_and_on_values(fake: OneDevice) -> None:
    x, here = torch.empty(2, 3, 4, 4, device=FAKE), torch.empty(2, 3, 4, 4)
    for mix in (
        lambda: x + here, lambda: nn.functional.conv2d(x, torch.empty(3, 3, 1, 1)), lambda: x[torch.tensor([0, 1])],
        lambda: nn.functional.linear(x, torch.empty(5, 4)), lambda: torch.cat([here, x]),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="mixes|expected device"):
            mix()
    with pytest.raises(RuntimeError, match="item"):
        x.sum().item()
    with pytest.raises(NotImplementedError):
        x[x > 0]
    assert (x * torch.tensor(2.0)).device == FAKE and here.to(FAKE).device == FAKE


def test_a_step_of_a_network_stays_on_the_device(fake: OneDevice) -> None:
    model, teacher = moved(MODEL).train(), moved(TEACHER).eval()
    average = WeightAverage(model.parameters(), 0.9)
    stepper = on(model)

    def losses(part: Batch) -> Iterator[PartLoss]:
        logits, soft = model(part.images), teacher(part.images)
        yield PartLoss(batch_loss(logits, part, SETTINGS, soft), (logits.argmax(1) == part.labels).sum())

    outcome = stepper.step(batch(), 0.1, losses)
    average.update(model.parameters(), 0)
    assert outcome.loss.device == outcome.right.device == FAKE
    assert all(weight.grad is not None and weight.grad.device == FAKE for weight in model.parameters())
    assert all(value.device == FAKE for value in average.values)


@pytest.mark.parametrize("teacher", [True, False])
def test_a_step_of_a_supernet_stays_on_the_device(fake: OneDevice, teacher: bool) -> None:
    net = moved(NET)
    members = MemberStepper(net, SETTINGS, torch.device("cpu"))
    members.stepper = on(net)
    genes = [SPACE.largest(), SPACE.smallest(), *SPACE.sample(2, np.random.default_rng(0))]
    loss = members.step(batch(), Members(genes, teacher=teacher), 0.1)
    assert loss.device == FAKE
    assert {weight.grad.device for weight in net.parameters() if weight.grad is not None} == {FAKE}


def test_recalibration_and_judging_of_members_stay_on_the_device(fake: OneDevice) -> None:
    member = Member(moved(NET), SPACE.smallest())
    images = [batch(member.resolution).images for _ in range(2)]
    member.calibrate(images)
    assert member.logits(images[0]).device == FAKE
    model = moved(OTHER)
    recalibrate(model, [batch().images])
    assert all(value.device == FAKE for value in model.buffers())


class FakeDraws(Draws):
    """Draws without values: a fake device has no generator."""

    def __init__(self, images: int) -> None:
        self.device, self._images, self._part, self._generator = FAKE, images, slice(None), None  # type: ignore[assignment]

    def beta(self, alpha: float) -> Tensor:
        return self.uniform()


@pytest.mark.parametrize(
    "augment",
    [
        AugmentSettings(crop_padding=1, flip=True, jitter=0.2, mixup_alpha=0.2, cutmix_alpha=1.0),
        AugmentSettings(crop_scale=0.1, flip=True, hue=0.1, erase_probability=0.2),
        AugmentSettings(randaugment_ops=2),
        AugmentSettings(randaugment_ops=2, randaugment_form="timm_increasing", randaugment_noise=0.1),
    ],
    ids=["shifts and mixes", "crops and erasing", "randaugment", "timm"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_stays_on_the_device(augment: AugmentSettings, channels: int) -> None:
    batches = Batches(blobs(size=12).train, PREPROCESSING, batch_size=8)
    with OneDevice():
        batches._factor, batches._offset = (torch.empty(1, 1, 1, device=FAKE) for _ in range(2))
        images = torch.empty(8, 12, 12, channels, dtype=torch.uint8, device=FAKE)
        labels = torch.empty(8, dtype=torch.int64, device=FAKE)
        found = batches._augmented(images, labels, augment, 4, FakeDraws(8))
    assert found.images.device == FAKE and found.images.dtype == torch.float32
    assert found.images.is_contiguous(memory_format=torch.channels_last)
    assert found.targets is None or found.targets.device == FAKE


def test_losses_with_soft_targets_stay_on_the_device(fake: OneDevice) -> None:
    logits, soft = (torch.empty(8, 4, device=FAKE, dtype=torch.bfloat16) for _ in range(2))
    assert distillation_loss(logits.float(), soft.float(), 2.0).device == FAKE
    for name in ("cross_entropy", "binary_cross_entropy"):
        settings = TrainSettings(loss=name, label_smoothing=0.1)
        assert batch_loss(logits, batch(), settings, soft).device == FAKE
