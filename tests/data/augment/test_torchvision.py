"""The oracle of augmentation: torchvision's v2 transforms at equal parameters.

Needs torchvision, which wants a torch build of its own: `pip install torch==2.14.1 torchvision==0.29.1` in an
environment for this, then `pytest -m oracle tests/data/augment`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from edgenas.data.augment import colours, crops
from edgenas.data.augment.boxes import Boxes, inside, random_boxes
from edgenas.data.augment.mixing import blend
from edgenas.data.augment.operations import FILL
from edgenas.data.augment.randaugment import FORMS, apply_operations
from tests.data.augment.test_crops import draws, photographs

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def v2() -> Any:
    """torchvision's transforms."""
    pytest.importorskip("torchvision", reason="torchvision is of an environment of its own")
    from torchvision.transforms import v2

    return v2


def levels(count: int = 4) -> torch.Tensor:
    return photographs(count).permute(0, 3, 1, 2)


def close(ours: torch.Tensor, theirs: torch.Tensor, *, share: float = 0.0, border: int = 0) -> None:
    """Equal within a grey level but for a share of the pixels, and but for a border."""
    inner = slice(border, -border or None)
    error = (ours.float() - theirs.float()).abs()[:, :, inner, inner]
    assert (error > 1).float().mean() <= share, error.max()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_resized_crop(v2: Any, interpolation: Any) -> None:
    images = levels(8)
    boxes, _ = random_boxes(40, 56, least=0.08, greatest=1.0, ratio=4 / 3, draws=draws(8))
    mode = v2.InterpolationMode(interpolation)
    theirs = torch.stack([
        v2.functional.resized_crop(image, *box, [24, 24], interpolation=mode, antialias=True)
        for image, box in zip(images, torch.stack(boxes, 1).tolist(), strict=True)
    ])  # fmt: skip
    for scale in (crops._one_by_one, crops._by_products):
        close(scale(images, boxes, 24, interpolation, None), theirs)


def test_the_rectangles_of_a_random_resized_crop(v2: Any) -> None:
    transform = v2.RandomResizedCrop(24, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3))
    torch.manual_seed(0)
    image = torch.zeros(3, 40, 56)
    drawn = [transform.make_params([image]) for _ in range(3000)]
    theirs = np.array([[box[name] for name in ("top", "left", "height", "width")] for box in drawn], float)
    boxes, _ = random_boxes(40, 56, least=0.08, greatest=1.0, ratio=4 / 3, draws=draws(3000))
    ours = torch.stack(boxes, 1).double().numpy()
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.abs(np.quantile(ours, share, axis=0) - np.quantile(theirs, share, axis=0)).max() <= 2


def test_colour_jitter(v2: Any) -> None:
    images, functional = levels(), v2.functional
    pairs: list[tuple[Callable[..., torch.Tensor], Callable[..., torch.Tensor]]] = [
        (colours.adjust_brightness, functional.adjust_brightness),
        (colours.adjust_contrast, functional.adjust_contrast),
        (colours.adjust_saturation, functional.adjust_saturation),
        (colours.adjust_sharpness, functional.adjust_sharpness),
    ]
    for ours, theirs in pairs:
        for factor in (0.0, 0.6, 1.0, 1.7):
            expected = theirs(images, factor)
            # torchvision does not round the mean grey level of the contrast.
            close(ours(images.float(), torch.full((4,), factor)), expected, share=0.001)
    for turn in (-0.3, 0.1, 0.5):
        close(colours.turn_hue(images.float(), torch.full((4,), turn)), functional.adjust_hue(images, turn))


def randaugment_argument(v2: Any, name: str, strength: float) -> float:
    """The magnitude of torchvision's RandAugment for its 31 bins."""
    magnitudes, _ = v2.RandAugment(num_magnitude_bins=31)._AUGMENTATION_SPACE[name]
    values = magnitudes(31, 40, 56)
    return 0.0 if values is None else float(values[round(30 * strength)])


NAMES = {
    "identity": "Identity", "auto_contrast": "AutoContrast", "equalize": "Equalize", "rotate": "Rotate",
    "shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX", "translate_y": "TranslateY",
    "posterize": "Posterize", "solarize": "Solarize", "colour": "Color", "contrast": "Contrast",
    "brightness": "Brightness", "sharpness": "Sharpness",
}  # fmt: skip
# torchvision moves the image where Pillow's matrix moves the place that is looked up.
TURNED = {"translate_x", "translate_y"}


def test_the_papers_form_has_torchvisions_operations(v2: Any) -> None:
    assert set(NAMES) == set(FORMS["paper"])
    assert set(NAMES.values()) == set(v2.RandAugment()._AUGMENTATION_SPACE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", [0.3, 0.9])
def test_an_operation_of_randaugment(v2: Any, name: str, strength: float) -> None:
    images = levels()
    magnitude = randaugment_argument(v2, NAMES[name], strength)
    if name in TURNED:
        # It moves by whole pixels.
        size = images.shape[3] if name == "translate_x" else images.shape[2]
        strength = int(magnitude) / (150 / 331 * size)
    sign = -1.0 if name in TURNED else 1.0
    theirs = v2.RandAugment()._apply_image_or_video_transform(
        images, NAMES[name], magnitude, interpolation=v2.InterpolationMode.BILINEAR, fill={torch.Tensor: FILL}
    )
    choice = torch.full((4,), list(FORMS["paper"]).index(name))
    values = torch.full((4,), strength), torch.full((4,), sign)
    ours = apply_operations(images.float(), choice, *values, form="paper")
    # Where a moved image ends, torchvision blends with the fill and Pillow cuts.
    moved = name in ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
    close(ours, theirs, share=0.08 if moved else 0.002)


@pytest.mark.parametrize("weight", [0.3, 0.8])
def test_mixup(v2: Any, weight: float) -> None:
    images, labels = torch.rand(6, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    transform = v2.MixUp(num_classes=3)
    params = {"labels": labels, "batch_size": 6, "lam": weight}
    theirs = transform.transform(images, params)
    targets = transform.transform(labels, params)
    partner = torch.arange(6).roll(1)
    ours, found = blend(images, labels, partner, torch.full((6, 1, 1), weight), classes=3)
    assert torch.allclose(ours, theirs, atol=1e-6) and torch.allclose(found, targets, atol=1e-6)


def test_cutmix(v2: Any) -> None:
    images, labels = torch.rand(6, 3, 10, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    top, left, bottom, right = 2, 1, 7, 6
    adjusted = 1 - (bottom - top) * (right - left) / 80
    params = {"labels": labels, "batch_size": 6, "box": (left, top, right, bottom), "lam_adjusted": adjusted}
    transform = v2.CutMix(num_classes=3)
    theirs, targets = transform.transform(images, params), transform.transform(labels, params)
    boxes = Boxes(*(torch.full((6,), value) for value in (top, left, bottom - top, right - left)))
    kept = (~inside(boxes, 10, 8)).float()
    ours, found = blend(images, labels, torch.arange(6).roll(1), kept, classes=3)
    assert torch.allclose(ours, theirs, atol=1e-6) and torch.allclose(found, targets, atol=1e-6)


def test_the_rectangles_of_random_erasing(v2: Any) -> None:
    transform = v2.RandomErasing(p=1.0, scale=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3))
    torch.manual_seed(0)
    image = torch.zeros(3, 40, 56)
    drawn = [transform.make_params([image]) for _ in range(3000)]
    theirs = np.array([[box[name] for name in ("i", "j", "h", "w")] for box in drawn if box["v"] is not None], float)
    boxes, found = random_boxes(40, 56, least=0.02, greatest=1 / 3, ratio=1 / 0.3, draws=draws(3000))
    ours = torch.stack(boxes, 1).double().numpy()[found.numpy()]
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.abs(np.quantile(ours, share, axis=0) - np.quantile(theirs, share, axis=0)).max() <= 2
