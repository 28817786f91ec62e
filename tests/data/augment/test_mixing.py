"""Random erasing, mixup and cutmix."""

import pytest
import torch

from edgenas.data import AugmentSettings
from edgenas.data.augment.mixing import blend, erase, mix
from tests.data.augment.test_crops import draws


def test_erasing_fills_one_rectangle_of_the_wanted_share_of_images() -> None:
    images = torch.ones((400, 3, 16, 16))
    out = erase(images, AugmentSettings(erase_probability=0.5), draws(400))
    hit = (out == 0).flatten(1).any(1)
    assert 150 < hit.sum() < 250
    erased = out[hit][:, 0] == 0
    rows, columns = erased.any(2), erased.any(1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])
    area = erased.float().mean((1, 2))
    assert 0.01 < area.min() and area.max() < 0.36 and 0.14 < area.mean() < 0.2
    assert erase(images, AugmentSettings(), draws(400)) is images


def test_erasing_with_noise_fills_normal_pixels() -> None:
    images = torch.full((200, 3, 16, 16), 9.0)
    out = erase(images, AugmentSettings(erase_probability=1.0, erase_fill="noise"), draws(200))
    noise = out[out != 9.0]
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05


BOTH = AugmentSettings(mixup_alpha=1.0, cutmix_alpha=1.0)


@pytest.mark.parametrize("settings", [AugmentSettings(mixup_alpha=1.0), AugmentSettings(cutmix_alpha=1.0), BOTH])
def test_mixed_targets_say_how_much_of_each_class_an_image_holds(settings: AugmentSettings) -> None:
    # Images of class k hold the value k everywhere, so a mixed image's mean must be the mean of its target.
    labels = torch.arange(64) % 4
    images = labels.float()[:, None, None, None].expand(64, 1, 8, 8).contiguous()
    mixed, targets = mix(images, labels, settings, classes=4, draws=draws(64))
    assert targets is not None
    assert torch.allclose(targets.sum(1), torch.ones(64), atol=1e-5)
    assert torch.allclose(mixed.mean((1, 2, 3)), targets @ torch.arange(4.0), atol=1e-5)
    assert (targets.max(1).values < 0.99).any()


def test_with_both_mixes_each_image_takes_one() -> None:
    # A pixel is 0 or 1 after a cutmix; between them after a mixup.
    labels = torch.arange(400) % 2
    images = labels.float()[:, None, None, None].expand(400, 1, 6, 6).contiguous()
    mixed, targets = mix(images, labels, BOTH, classes=2, draws=draws(400))
    assert targets is not None
    between = ((mixed > 1e-6) & (mixed < 1 - 1e-6)).flatten(1).any(1)
    flat = mixed.flatten(1).std(1) < 1e-6
    patched = ~flat & ~between
    assert (between & ~flat).sum() == 0
    assert 60 < between.sum() < 140 and patched.sum() > 40


def test_a_blend_takes_partner_and_weight_as_given() -> None:
    images = torch.arange(3.0)[:, None, None, None].expand(3, 1, 2, 2).contiguous()
    labels, partner = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0])
    mixed, targets = blend(images, labels, partner, torch.full((3, 1, 1), 0.75), classes=3)
    assert torch.allclose(mixed[:, 0, 0, 0], torch.tensor([0.25, 1.25, 1.5]))
    assert torch.allclose(targets, torch.tensor([[0.75, 0.25, 0], [0, 0.75, 0.25], [0.25, 0, 0.75]]))


def test_without_mixing_there_are_no_targets() -> None:
    images = torch.rand(16, 3, 4, 4)
    mixed, targets = mix(images, torch.zeros(16, dtype=torch.int64), AugmentSettings(), classes=2, draws=draws(16))
    assert mixed is images and targets is None
