"""Random crops: the rectangles' distribution, the scaling, shifts and mirror images."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from edgenas.data import AugmentSettings
from edgenas.data.augment import crops
from edgenas.data.augment.boxes import Boxes, centred_boxes, inside, random_boxes
from edgenas.data.augment.crops import random_resized_crop, resized_crop, shift_and_flip
from edgenas.data.augment.draws import Draws


def draws(count: int, seed: int = 0) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), count)


def photographs(count: int = 6, height: int = 40, width: int = 56) -> torch.Tensor:
    """Smooth images with some noise, (B, H, W, 3) uint8."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    images = [np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)) for small in coarse]
    noisy = np.stack(images).astype(int) + rng.integers(-9, 10, (count, height, width, 3))
    return torch.from_numpy(np.clip(noisy, 0, 255).astype(np.uint8))


def one_by_one(height: int, width: int, least: float, ratio: float, count: int) -> np.ndarray:
    """Rectangles as the loop of torchvision's documentation draws them, by numpy: (count, 4)."""
    rng, found = np.random.default_rng(2), []
    for _ in range(count):
        box = ((height - height) // 2, 0, height, width)
        for _ in range(10):
            area = height * width * rng.uniform(least, 1)
            aspect = math.exp(rng.uniform(-math.log(ratio), math.log(ratio)))
            wide, tall = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < wide <= width and 0 < tall <= height:
                box = (rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1), tall, wide)
                break
        found.append(box)
    return np.array(found, float)


def test_rectangles_are_distributed_as_those_drawn_one_by_one() -> None:
    boxes, found = random_boxes(48, 64, least=0.08, greatest=1.0, ratio=4 / 3, draws=draws(8000))
    ours = torch.stack(boxes, 1).double().numpy()
    theirs = one_by_one(48, 64, 0.08, 4 / 3, 8000)
    assert found.float().mean() > 0.99
    for share in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98):
        assert np.abs(np.quantile(ours, share, axis=0) - np.quantile(theirs, share, axis=0)).max() <= 1.5
    assert np.abs(ours.mean(0) - theirs.mean(0)).max() < 0.4
    assert np.abs(np.corrcoef(ours.T) - np.corrcoef(theirs.T)).max() < 0.03


def test_rectangles_lie_in_the_image_and_keep_area_and_ratio() -> None:
    boxes, found = random_boxes(50, 50, least=0.3, greatest=0.6, ratio=2.0, draws=draws(3000))
    assert found.all()
    assert (boxes.top >= 0).all() and (boxes.top + boxes.height <= 50).all()
    assert (boxes.left >= 0).all() and (boxes.left + boxes.width <= 50).all()
    area = (boxes.height * boxes.width) / 2500
    assert 0.28 < area.min() and area.max() < 0.62
    aspect = boxes.width / boxes.height
    assert 0.47 < aspect.min() and aspect.max() < 2.1


@pytest.mark.parametrize(("height", "width", "box"), [(10, 90, (0, 38, 10, 13)), (90, 10, (38, 0, 13, 10))])
def test_where_nothing_fits_the_largest_allowed_rectangle_in_the_middle_is_taken(
    height: int, width: int, box: tuple[int, ...]
) -> None:
    boxes, found = random_boxes(height, width, least=0.9, greatest=1.0, ratio=4 / 3, draws=draws(5))
    assert not found.any()
    assert torch.stack(boxes, 1).tolist() == [list(box)] * 5


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [16, 48])
def test_a_cut_is_scaled_as_pillow_does_it(interpolation: str, size: int) -> None:
    images = photographs()
    boxes, _ = random_boxes(40, 56, least=0.1, greatest=1.0, ratio=2.0, draws=draws(len(images)))
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    expected = []
    for image, (top, left, tall, wide) in zip(images.numpy(), torch.stack(boxes, 1).tolist(), strict=True):
        cut = Image.fromarray(image[top : top + tall, left : left + wide])
        expected.append(np.asarray(cut.resize((size, size), filters[interpolation])))
    arguments = (images.permute(0, 3, 1, 2), boxes, size, interpolation, None)
    for scale in (crops._one_by_one, crops._by_products):
        found = scale(*arguments).permute(0, 2, 3, 1).numpy()
        assert found.dtype == np.float32 and np.array_equal(found, np.rint(found))
        # Pillow rounds to whole levels between columns and rows too.
        error = np.abs(found - np.stack(expected))
        assert error.max() <= 2 and (error > 1).mean() < 1e-3 and error.mean() < 0.3


def test_both_ways_of_scaling_mirror_the_same_images() -> None:
    images = photographs(4)
    boxes = Boxes(*(torch.full((4,), value) for value in (3, 8, 30, 25)))
    turned = torch.tensor([True, False, True, False])
    plain = resized_crop(images, boxes, 20, interpolation="bilinear")
    for scale in (crops._one_by_one, crops._by_products):
        found = scale(images.permute(0, 3, 1, 2), boxes, 20, "bilinear", turned)
        for number in range(4):
            expected = plain[number].flip(2) if turned[number] else plain[number]
            assert (found[number] - expected).abs().max() <= 1


def test_a_random_resized_crop_differs_between_images_and_mirrors_half_of_them() -> None:
    ramp = torch.arange(32, dtype=torch.uint8).mul(8)[None, None, :, None].expand(400, 32, 32, 1)
    out = random_resized_crop(ramp, 16, AugmentSettings(crop_scale=0.25, flip=True), draws(400))
    rising = out[:, 0, 0, -1] > out[:, 0, 0, 0]
    assert 160 < rising.sum() < 240
    assert len({tuple(image.flatten().tolist()) for image in out}) > 100
    unflipped = random_resized_crop(ramp, 16, AugmentSettings(crop_scale=0.25), draws(400))
    assert (unflipped[:, 0, 0, -1] > unflipped[:, 0, 0, 0]).all()


def test_a_crop_of_everything_at_the_same_size_changes_nothing() -> None:
    images = photographs(3, 24, 24)
    settings = AugmentSettings(crop_scale=1.0, crop_ratio=1.0)
    assert torch.equal(random_resized_crop(images, 24, settings, draws(3)), images.permute(0, 3, 1, 2).float())


def test_a_flip_mirrors_about_half_of_the_images_and_leaves_the_others() -> None:
    images = photographs(64, 8, 8)
    out = shift_and_flip(images, AugmentSettings(flip=True), draws(64))
    mirrored = [torch.equal(after, before.flip(1)) for before, after in zip(images, out, strict=True)]
    same = [torch.equal(after, before) for before, after in zip(images, out, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 15 < sum(mirrored) < 49


def test_a_shift_moves_by_at_most_the_padding_and_reaches_both_ends() -> None:
    images = torch.zeros((200, 9, 9, 1), dtype=torch.uint8)
    images[:, 4, 4] = 1
    out = shift_and_flip(images, AugmentSettings(crop_padding=2), draws(200))
    places = out[..., 0].nonzero()[:, 1:]
    assert len(places) == 200
    assert places.min(0).values.tolist() == [2, 2]
    assert places.max(0).values.tolist() == [6, 6]


def test_the_border_is_reflected_not_black() -> None:
    images = torch.full((20, 6, 6, 3), 50, dtype=torch.uint8)
    assert (shift_and_flip(images, AugmentSettings(crop_padding=4), draws(20)) == 50).all()


def test_centred_rectangles_are_cut_at_the_border_and_cover_every_place() -> None:
    boxes = centred_boxes(torch.full((4000,), 0.5), 10, 10, draws(4000))
    covered = inside(boxes, 10, 10)
    assert (covered.sum((1, 2)) == boxes.height * boxes.width).all()
    assert boxes.height.min() == 2 and boxes.height.max() == 4
    assert covered.float().mean(0).min() > 0.03
