"""Batched augmentation: what each change may and may not do."""

import numpy as np
import pytest
import torch

from edgenas.data import AugmentSettings
from edgenas.data.augment.randaugment import OPERATIONS, rand_augment
from edgenas.data.augment.transforms import change_colours, erase, mix, shift_and_flip


def batch(count: int = 16, channels: int = 3, size: int = 8) -> torch.Tensor:
    return torch.rand((count, channels, size, size), generator=torch.Generator().manual_seed(0))


def bytes_batch(count: int = 64, size: int = 8) -> torch.Tensor:
    return (batch(count, size=size) * 255).byte().permute(0, 2, 3, 1).contiguous()


def test_a_flip_mirrors_about_half_of_the_images_and_leaves_the_others(rng: np.random.Generator) -> None:
    images = bytes_batch()
    out = shift_and_flip(images, AugmentSettings(flip=True), rng)
    mirrored = [torch.equal(after, before.flip(1)) for before, after in zip(images, out, strict=True)]
    same = [torch.equal(after, before) for before, after in zip(images, out, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 15 < sum(mirrored) < 49


def test_a_shift_moves_by_at_most_the_padding_and_reaches_both_ends(rng: np.random.Generator) -> None:
    images = torch.zeros((200, 9, 9, 1), dtype=torch.uint8)
    images[:, 4, 4] = 1
    out = shift_and_flip(images, AugmentSettings(crop_padding=2), rng)
    places = out[..., 0].nonzero()[:, 1:]
    assert len(places) == 200
    assert places.min(0).values.tolist() == [2, 2]
    assert places.max(0).values.tolist() == [6, 6]


def test_the_border_is_reflected_not_black(rng: np.random.Generator) -> None:
    images = torch.full((20, 6, 6, 3), 50, dtype=torch.uint8)
    assert (shift_and_flip(images, AugmentSettings(crop_padding=4), rng) == 50).all()


def test_colour_changes_stay_in_range_and_differ_between_images(rng: np.random.Generator) -> None:
    images = batch(1).repeat(8, 1, 1, 1)
    out = change_colours(images, AugmentSettings(jitter=0.5), rng)
    assert out.min() >= 0 and out.max() <= 1
    assert len({image.sum().item() for image in out}) == 8


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_keeps_shape_and_range(name: str, channels: int) -> None:
    images = batch(5, channels)
    for value in (-1.0, -0.3, 0.4, 1.0):
        out = OPERATIONS[name](images, torch.full((5, 1, 1, 1), value))
        assert out.shape == images.shape
        assert out.min() >= -1e-5 and out.max() <= 1 + 1e-5


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("auto_contrast", "posterize")])
def test_an_operation_of_strength_0_changes_nothing(name: str) -> None:
    images = batch(5)
    assert torch.allclose(OPERATIONS[name](images, torch.zeros(5, 1, 1, 1)), images, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "identity"])
def test_an_operation_of_full_strength_changes_something(name: str) -> None:
    images = batch(5) * 0.8 + 0.1
    assert not torch.allclose(OPERATIONS[name](images, torch.ones(5, 1, 1, 1)), images, atol=1e-3)


def test_rand_augment_draws_different_operations_for_the_images_of_a_batch(rng: np.random.Generator) -> None:
    images = batch(1).repeat(40, 1, 1, 1)
    out = rand_augment(images, 1.0, rng)
    assert len({tuple(image.flatten()[:20].tolist()) for image in out}) > 20


def test_erasing_sets_one_rectangle_of_the_wanted_share_of_images(rng: np.random.Generator) -> None:
    images = torch.ones((400, 3, 16, 16))
    out = erase(images, 0.5, rng)
    hit = (out == 0).flatten(1).any(1)
    assert 150 < hit.sum() < 250
    first = out[hit.nonzero()[0, 0]]
    rows, columns = (first[0] == 0).any(1), (first[0] == 0).any(0)
    assert torch.equal(first[0] == 0, rows[:, None] & columns[None, :])
    assert torch.equal(erase(images, 0.0, rng), images)


@pytest.mark.parametrize("settings", [AugmentSettings(mixup_alpha=1.0), AugmentSettings(cutmix_alpha=1.0)])
def test_mixed_targets_say_how_much_of_each_class_an_image_holds(
    settings: AugmentSettings, rng: np.random.Generator
) -> None:
    # Images of class k hold the value k everywhere, so a mixed image's mean must be the mean of its target.
    labels = torch.arange(32) % 4
    images = labels.float()[:, None, None, None].expand(32, 1, 8, 8).contiguous()
    mixed, targets = mix(images, labels, settings, classes=4, rng=rng)
    assert targets is not None
    assert torch.allclose(targets.sum(1), torch.ones(32), atol=1e-5)
    assert torch.allclose(mixed.mean((1, 2, 3)), targets @ torch.arange(4.0), atol=1e-5)
    assert (targets.max(1).values < 0.99).any()


def test_without_mixing_there_are_no_targets(rng: np.random.Generator) -> None:
    images = batch()
    mixed, targets = mix(images, torch.zeros(16, dtype=torch.int64), AugmentSettings(), classes=2, rng=rng)
    assert mixed is images and targets is None
