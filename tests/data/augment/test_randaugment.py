"""RandAugment: its operations are Pillow's, its strengths are torchvision's and timm's."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from edgenas.data import AugmentSettings
from edgenas.data.augment.operations import FILL
from edgenas.data.augment.randaugment import FORMS, apply_operations, rand_augment
from tests.data.augment.test_crops import draws, photographs

# More than three pixels a level, so that equalize rounds.
HEIGHT, WIDTH = 30, 36
GREY = (int(FILL),) * 3


def affine(*matrix: float) -> Callable[[Image.Image], Image.Image]:
    bilinear = Image.Resampling.BILINEAR
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, matrix, bilinear, fillcolor=GREY)


def enhanced(kind: type, factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: kind(image).enhance(factor)


def solarize_add(added: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.point([min(255, level + added) if level < 128 else level for level in range(256)] * 3)


def rotated(degrees: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=GREY)


S = 0.9  # magnitude 9 of 10
# By form and operation: what Pillow is to do at the strength 0.9 with the sign -1.
EXPECTED: dict[str, dict[str, Callable[[Image.Image], Image.Image]]] = {
    "paper": {
        "identity": lambda image: image,
        "auto_contrast": ImageOps.autocontrast,
        "equalize": ImageOps.equalize,
        "rotate": rotated(-27.0),
        "shear_x": affine(1, -0.27, 0, 0, 1, 0),
        "shear_y": affine(1, 0, 0, -0.27, 1, 0),
        "translate_x": affine(1, 0, -S * 150 / 331 * WIDTH, 0, 1, 0),
        "translate_y": affine(1, 0, 0, 0, 1, -S * 150 / 331 * HEIGHT),
        "posterize": lambda image: ImageOps.posterize(image, 4),
        "solarize": lambda image: ImageOps.solarize(image, 26),
        "colour": enhanced(ImageEnhance.Color, 0.19),
        "contrast": enhanced(ImageEnhance.Contrast, 0.19),
        "brightness": enhanced(ImageEnhance.Brightness, 0.19),
        "sharpness": enhanced(ImageEnhance.Sharpness, 0.19),
    },
    "timm": {
        "auto_contrast": ImageOps.autocontrast,
        "equalize": ImageOps.equalize,
        "invert": ImageOps.invert,
        "rotate": rotated(-27.0),
        "posterize": lambda image: ImageOps.posterize(image, 3),
        "solarize": lambda image: ImageOps.solarize(image, 230),
        "solarize_add": solarize_add(99),
        "colour": enhanced(ImageEnhance.Color, 1.72),
        "contrast": enhanced(ImageEnhance.Contrast, 1.72),
        "brightness": enhanced(ImageEnhance.Brightness, 1.72),
        "sharpness": enhanced(ImageEnhance.Sharpness, 1.72),
        "shear_x": affine(1, -0.27, 0, 0, 1, 0),
        "shear_y": affine(1, 0, 0, -0.27, 1, 0),
        "translate_x": affine(1, 0, -0.405 * WIDTH, 0, 1, 0),
        "translate_y": affine(1, 0, 0, 0, 1, -0.405 * HEIGHT),
    },
}
EXPECTED["timm_increasing"] = {
    **EXPECTED["timm"],
    "posterize": lambda image: ImageOps.posterize(image, 1),
    "solarize": lambda image: ImageOps.solarize(image, 26),
    "colour": enhanced(ImageEnhance.Color, 0.19),
    "contrast": enhanced(ImageEnhance.Contrast, 0.19),
    "brightness": enhanced(ImageEnhance.Brightness, 0.19),
    "sharpness": enhanced(ImageEnhance.Sharpness, 0.19),
}
CASES = [(form, name) for form, operations in FORMS.items() for name in operations]


def levels(count: int = 4) -> torch.Tensor:
    return photographs(count, HEIGHT, WIDTH).permute(0, 3, 1, 2).float()


def applied(images: torch.Tensor, form: str, name: str, strength: float = S, sign: float = -1.0) -> torch.Tensor:
    count = len(images)
    choice = torch.full((count,), list(FORMS[form]).index(name))
    return apply_operations(images, choice, torch.full((count,), strength), torch.full((count,), sign), form=form)


@pytest.mark.parametrize(("form", "name"), CASES)
def test_an_operation_does_what_pillow_does(form: str, name: str) -> None:
    images = levels()
    found = applied(images, form, name).permute(0, 2, 3, 1).numpy()
    for image, out in zip(images, found, strict=True):
        pillow = Image.fromarray(image.permute(1, 2, 0).byte().numpy())
        expected = np.asarray(EXPECTED[form][name](pillow)).astype(int)
        # Where a pixel's place falls on the very border, rounding decides whether it is filled.
        assert (np.abs(out - expected) > 1).mean() < 0.01, name
        assert (out != expected).mean() < 0.05, name


@pytest.mark.parametrize(("form", "name"), CASES)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_operation_keeps_shape_range_and_whole_levels_at_any_strength(form: str, name: str, channels: int) -> None:
    images = levels(2)[:, :channels]
    for strength in (0.0, 0.4, 1.0, 3.0):
        for sign in (-1.0, 1.0):
            out = applied(images, form, name, strength, sign)
            assert out.shape == images.shape and torch.equal(out, out.round())
            assert out.min() >= 0 and out.max() <= 255


def test_strength_0_of_the_paper_changes_nothing() -> None:
    images = levels()
    same = [name for name in FORMS["paper"] if torch.equal(applied(images, "paper", name, 0.0), images)]
    # Solarize starts at level 255 and posterize at 8 bits, which is all of a photograph.
    assert set(same) >= set(FORMS["paper"]) - {"auto_contrast", "equalize", "solarize"}


def test_flat_images_are_left_alone_by_operations_that_stretch() -> None:
    flat = torch.full((2, 3, 8, 8), 77.0)
    assert torch.equal(applied(flat, "paper", "equalize"), flat)
    assert torch.equal(applied(flat, "paper", "auto_contrast"), flat)


def test_every_operation_is_drawn_about_equally_often(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(
        "edgenas.data.augment.randaugment.apply_operations",
        lambda images, choice, strength, sign, form: seen.append(torch.stack([choice, strength, sign])) or images,
    )
    settings = AugmentSettings(randaugment_ops=2, randaugment_magnitude=0.9, randaugment_noise=0.05,
                               randaugment_probability=0.5, randaugment_form="timm")  # fmt: skip
    rand_augment(torch.zeros(30_000, 1, 1, 1), settings, draws(30_000))
    choice, strength, sign = torch.cat(seen, 1)
    counts = torch.bincount(choice.long() + 1, minlength=16)
    assert len(seen) == 2 and len(counts) == 16
    assert abs(counts[0] / 60_000 - 0.5) < 0.01
    assert (counts[1:] / 60_000 - 0.5 / 15).abs().max() < 0.003
    assert abs(sign.mean()) < 0.02 and set(sign.tolist()) == {-1.0, 1.0}
    assert strength.max() == 1.0 and abs(strength.mean() - 0.9) < 0.005 and 0.04 < strength.std() < 0.06


def test_images_of_a_batch_get_operations_of_their_own() -> None:
    images = levels(1).repeat(40, 1, 1, 1)
    out = rand_augment(images, AugmentSettings(randaugment_ops=2, randaugment_magnitude=1.0), draws(40))
    assert len({tuple(image.flatten()[:50].tolist()) for image in out}) > 20
    assert rand_augment(images, AugmentSettings(), draws(40)) is images


def test_an_image_is_changed_the_same_alone_and_in_a_batch() -> None:
    images = levels(15)
    choice, strength = torch.arange(15), torch.linspace(0.1, 1.0, 15)
    sign = torch.ones(15)
    whole = apply_operations(images, choice, strength, sign, form="timm")
    for number in range(15):
        rows = slice(number, number + 1)
        alone = apply_operations(images[rows], choice[rows], strength[rows], sign[rows], form="timm")
        assert torch.equal(alone, whole[rows])


def test_devices_that_compute_all_images_and_keep_the_chosen_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images, choice = levels(15), torch.arange(15)
    strength, sign = torch.full((15,), 0.7), torch.ones(15)
    expected = apply_operations(images, choice, strength, sign, form="timm_increasing")

    def everywhere(chosen, levels, operation, values):  # type: ignore[no-untyped-def]
        return torch.where(chosen[:, None, None, None], operation(levels, values), levels)

    monkeypatch.setattr("edgenas.data.augment.randaugment._where", everywhere)
    assert torch.equal(apply_operations(images, choice, strength, sign, form="timm_increasing"), expected)
