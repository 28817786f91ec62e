"""Published training recipes by name: what each key is, and where it is published. Knows no torch.

A recipe says how to train and not how long: epochs and the size of a batch are the user's. The learning rate follows
the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgenas.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A value and its source.

    Attributes:
        value: Of the key.
        source: Paper and section, or file of the authors' code; it says so where the value is none of theirs.
    """

    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A published recipe.

    Attributes:
        about: Networks, data and length that it was published for.
        keys: By key of the section `train`; a dot leads into `augment`.
        batch_size: Images a step for which the learning rate was published.
        scaling: How the rate follows the batch: "linear" (Goyal 2017) or "sqrt" (Malladi 2022, for Adam).
        differences: What of the published training edgenas does otherwise or cannot do, one sentence each.
    """

    about: str
    keys: Mapping[str, Published]
    batch_size: int
    scaling: Literal["linear", "sqrt"]
    differences: tuple[str, ...] = field(default=())

    def values(self, batch_size: int) -> dict[str, Any]:
        """Return plain values by key for a batch of so many images, those of `augment` in a mapping of their own."""
        share = batch_size / self.batch_size
        factor = share if self.scaling == "linear" else math.sqrt(share)
        plain: dict[str, Any] = {"augment": {}}
        for key, published in self.keys.items():
            section, _, name = key.rpartition(".")
            (plain[section] if section else plain)[name] = published.value
        return {**plain, "learning_rate": float(f"{plain['learning_rate'] * factor:.4g}")}


def _of(source: str, **values: Any) -> dict[str, Published]:
    """Return keys of one source; `__` in a name stands for the dot."""
    return {name.replace("__", "."): Published(value=value, source=source) for name, value in values.items()}


_NONE = "no published value; ours"
_V3 = "Howard 2019, section 6.1.1"
_V3_CODE = "TensorFlow Model Garden, imagenet_mobilenetv3small_tpu.yaml"
_INCEPTION = "TensorFlow Slim, inception_preprocessing.py, to which the paper points"
_B0 = "Tan 2019, section 5.2"
_B0_CODE = "tensorflow/tpu, models/official/efficientnet/main.py"
_B0_IMAGES = "tensorflow/tpu, models/official/efficientnet/preprocessing.py"
_GARDEN_IMAGES = "TensorFlow Model Garden, official/vision/configs/image_classification.py, defaults"
_V4_SMALL = "TensorFlow Model Garden, imagenet_mobilenetv4_conv_small_tpu.yaml"
_V4_MEDIUM = "TensorFlow Model Garden, imagenet_mobilenetv4_conv_medium_tpu.yaml"
_OFA = "Cai 2020, section 4.1"
_OFA_CODE = "mit-han-lab/once-for-all, train_ofa_net.py"
_OFA_IMAGES = "mit-han-lab/once-for-all, data_providers/imagenet.py"

_RMSPROP = "Epsilon is 0.001 and stands outside the root; TensorFlow's stands inside, and the papers name none."
_STEPS = "The rate falls smoothly instead of in steps of some epochs, over the epochs that are asked for."
_NORMS = "Momentum and epsilon of batch norms are those of the network."

_MOBILENET_V3 = Recipe(
    about="MobileNetV3 on ImageNet at 224; the paper names no number of epochs, the authors' later configuration 1,000",
    keys={
        **_of(_V3, optimizer="rmsprop", momentum=0.9, learning_rate=0.1, weight_decay=1e-5, averaging_decay=0.9999),
        **_of(f"{_V3}: decay of 0.01 every 3 epochs", schedule="exponential"),
        **_of(f"{_V3_CODE}: 0.99 every 3 of 1,000 epochs", final_learning_rate_share=0.035),
        **_of(f"{_V3_CODE}: 5 of 1,000 epochs", warmup_share=0.005),
        **_of(f"{_V3}: 0.8 is kept; {_V3_CODE}: 0.2", dropout=0.2),
        **_of(_V3_CODE, label_smoothing=0.1),
        **_of(
            _INCEPTION, augment__crop_scale=0.05, augment__crop_ratio=1.33, augment__flip=True,
            augment__brightness=0.1255, augment__saturation=0.5,
        ),
    },
    batch_size=4096,
    scaling="linear",
    differences=(
        _RMSPROP,
        _STEPS,
        _NORMS,
        "Brightness is multiplied, where TensorFlow adds up to 32 of 255.",
        "The later configuration has a peak of 0.01 instead of the paper's 0.1.",
    ),
)  # fmt: skip

_EFFICIENTNET = Recipe(
    about="EfficientNet-B0 on ImageNet at 224, 350 epochs; larger ones have dropout up to 0.5 (B7)",
    keys={
        **_of(_B0, optimizer="rmsprop", momentum=0.9, learning_rate=0.256, weight_decay=1e-5, dropout=0.2),
        **_of(f"{_B0}: survival probability 0.8", stochastic_depth=0.2),
        **_of(f"{_B0}: 0.97 every 2.4 epochs", schedule="exponential"),
        **_of(f"{_B0}, over the 350 epochs of {_B0_CODE}", final_learning_rate_share=0.0118),
        **_of(f"{_B0_CODE}: 5 of 350 epochs", warmup_share=0.0143),
        **_of(_B0_CODE, averaging_decay=0.9999, label_smoothing=0.1),
        **_of(
            _B0_IMAGES, augment__crop_scale=0.08, augment__crop_ratio=4 / 3, augment__crop_interpolation="bicubic",
            augment__flip=True,
        ),
        **_of(
            f"{_B0_CODE}, its choice beside AutoAugment", augment__randaugment_form="timm",
            augment__randaugment_ops=2, augment__randaugment_magnitude=1.0,
        ),
    },
    batch_size=4096,
    scaling="linear",
    differences=(
        "The paper's AutoAugment is not here; the code's RandAugment stands in for it.",
        _RMSPROP,
        _STEPS,
        _NORMS,
    ),
)  # fmt: skip

_V4_RANDAUGMENT = {"augment__randaugment_form": "timm", "augment__randaugment_ops": 2}

_MOBILENET_V4 = Recipe(
    about="MobileNetV4-Conv-S on ImageNet at 224, about 9,600 epochs",
    keys={
        **_of(
            _V4_SMALL, optimizer="adamw", learning_rate=0.002, weight_decay=0.01, schedule="cosine",
            final_learning_rate_share=0.0, averaging_decay=0.9999, label_smoothing=0.1, dropout=0.3,
        ),
        **_of(f"{_V4_SMALL}: 5 of 9,623 epochs", warmup_share=0.00052),
        **_of(_GARDEN_IMAGES, augment__crop_scale=0.08, augment__flip=True),
        **_of(f"{_V4_SMALL}, with the code's default of 2 layers", **_V4_RANDAUGMENT),
        **_of(_V4_SMALL, augment__randaugment_magnitude=0.9, augment__randaugment_probability=0.5),
    },
    batch_size=4096,
    scaling="sqrt",
    differences=(
        "TensorFlow's AdamW has a first moment that decays by 0.6, here it is 0.9.",
        "Its RandAugment shifts by at most 20 pixels at magnitude 10; here by 45 % of the side.",
        "Its additional L2 penalty of 0.00001 is left out.",
        _NORMS,
    ),
)  # fmt: skip

_MOBILENET_V4_MEDIUM = Recipe(
    about="MobileNetV4-Conv-M on ImageNet at 256, 500 epochs",
    keys={
        **_of(
            _V4_MEDIUM, optimizer="adamw", learning_rate=0.004, weight_decay=0.1, schedule="cosine",
            final_learning_rate_share=0.0, label_smoothing=0.1, dropout=0.2, stochastic_depth=0.075,
        ),
        **_of(f"{_V4_MEDIUM}: 5 of 500 epochs", warmup_share=0.01),
        **_of(_GARDEN_IMAGES, augment__crop_scale=0.08, augment__flip=True),
        **_of(f"{_V4_MEDIUM}, with the code's default of 2 layers", **_V4_RANDAUGMENT),
        **_of(_V4_MEDIUM, augment__randaugment_magnitude=1.5, augment__randaugment_probability=0.7),
    },
    batch_size=4096,
    scaling="sqrt",
    differences=(
        "Its RandAugment shifts by at most 10 pixels at magnitude 10 (the default); here by 45 % of the side.",
        _NORMS,
    ),
)  # fmt: skip

_ONCE_FOR_ALL = Recipe(
    about="the largest network of once-for-all on ImageNet, 180 epochs; the supernet's later phases begin lower",
    keys={
        **_of(_OFA, optimizer="sgd", momentum=0.9, learning_rate=2.6, weight_decay=3e-5, schedule="cosine"),
        **_of(f"{_NONE}; {_OFA_CODE} has 5 of 120 epochs in its later phases", warmup_share=0.042),
        **_of(_OFA_CODE, label_smoothing=0.1, dropout=0.1, augment__crop_scale=0.08),
        **_of(_OFA_IMAGES, augment__flip=True, augment__brightness=0.1255, augment__saturation=0.5),
    },
    batch_size=2048,
    scaling="linear",
    differences=(
        "The code's resolution changes from step to step; here that is a matter of the supernet's space.",
        "In `supernet` the dropout is left out, which has no meaning there.",
    ),
)

RECIPES: Registry[Recipe] = Registry(
    "train.recipe",
    group="edgenas.recipes",
    entries={
        "mobilenet_v3": _MOBILENET_V3,
        "mobilenet_v4": _MOBILENET_V4,
        "mobilenet_v4_medium": _MOBILENET_V4_MEDIUM,
        "efficientnet": _EFFICIENTNET,
        "once_for_all": _ONCE_FOR_ALL,
    },
    check=lambda entry: isinstance(entry, Recipe),
    expected="an edgenas.train.recipes.Recipe",
)
"""Recipes by name. Entry points of the group `edgenas.recipes` add to it."""
