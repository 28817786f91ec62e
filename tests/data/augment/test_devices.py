"""On a device other than the CPU nothing reads a value back, which would make the host wait.

The `meta` device has shapes and no values: what asks for one fails there.
"""

import torch
from torch import Tensor

from edgenas.data import AugmentSettings
from edgenas.data.augment.colours import change_colours
from edgenas.data.augment.crops import random_resized_crop, shift_and_flip
from edgenas.data.augment.draws import Draws
from edgenas.data.augment.mixing import erase, mix
from edgenas.data.augment.randaugment import FORMS, rand_augment

META = torch.device("meta")


class Shapes(Draws):
    """Draws without values: torch has no generator for the meta device."""

    def __init__(self, images: int) -> None:
        super().__init__(torch.Generator(), images)
        self.device = META

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        return torch.empty((self._images, *shape), device=META)

    def normal(self, *shape: int) -> Tensor:
        return torch.empty((self._images, *shape), device=META)

    def beta(self, alpha: float) -> Tensor:
        return torch.empty(self._images, device=META)


def test_the_whole_augmentation_stays_on_the_device_of_the_images() -> None:
    for form in FORMS:
        settings = AugmentSettings(
            crop_padding=2, crop_scale=0.1, crop_interpolation="bicubic", flip=True, jitter=0.3, hue=0.1,
            randaugment_form=form, randaugment_ops=2, randaugment_noise=0.1, randaugment_probability=0.5,
            erase_probability=0.5, erase_fill="noise", mixup_alpha=0.2, cutmix_alpha=1.0,
        )  # type: ignore[arg-type]  # fmt: skip
        images = torch.empty((5, 20, 24, 3), dtype=torch.uint8, device=META)
        drawn = Shapes(5)
        levels = random_resized_crop(shift_and_flip(images, settings, drawn), 12, settings, drawn)
        levels = rand_augment(change_colours(levels, settings, drawn), settings, drawn)
        floats = erase(levels, settings, drawn)
        mixed, targets = mix(floats, torch.empty(5, dtype=torch.int64, device=META), settings, classes=3, draws=drawn)
        assert mixed.shape == (5, 3, 12, 12) and mixed.device == META
        assert targets is not None and targets.shape == (5, 3) and targets.device == META
