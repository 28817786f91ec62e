"""How one network is trained; knows no torch, so that configurations stay light."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from edgenas.data.augment.settings import AugmentSettings
from edgenas.errors import ConfigError, explain, nearest
from edgenas.train.registry import LOSSES, OPTIMIZERS, USUAL_LOSS, without_newer_defaults

ScheduleName = Literal["cosine", "exponential"]
PrecisionName = Literal["auto", "fp32", "bf16", "fp16"]
KeepName = Literal["final", "best"]

_NAMES: dict[str, tuple[str, ...]] = {
    "schedule": get_args(ScheduleName),
    "precision": get_args(PrecisionName),
    "keep": get_args(KeepName),
}
# The ends of ranges are useful values (no decay, no smoothing). They are allowed unless a check below excludes them.
_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("weight_decay", 0, 10),
    ("momentum", 0, 0.9999),
    ("warmup_share", 0, 1),
    ("final_learning_rate_share", 0, 1),
    ("label_smoothing", 0, 0.99),
    ("distillation_weight", 0, 1),
    ("dropout", 0, 0.99),
    ("stochastic_depth", 0, 0.99),
)
CHANGEABLE = ("workers", "precision")
"""Settings that may differ when a training is resumed, since its state is the same under all of them."""
_COUNTS = ("epochs", "steps", "batch_size", "accumulation", "evaluate_every", "recalibration_images", "workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """The recipe of a training.

    Attributes:
        epochs: Passes over the training images.
        steps: Optimizer steps; whichever of `epochs`, `steps` and `seconds` is spent first ends the training.
        seconds: Wall-clock budget; the schedule then follows the clock too, and the result is not repeatable.
        batch_size: Images per optimizer step.
        accumulation: Parts in which a batch is processed one after the other; saves memory, normalisation sees a part.
        optimizer: "adamw" (Loshchilov 2019), "sgd" with Nesterov momentum, or "rmsprop" with momentum as in TensorFlow.
        learning_rate: Peak, after warm-up.
        momentum: Of sgd and rmsprop.
        weight_decay: Decoupled for adamw, otherwise part of the gradient; never on norms and biases.
        warmup_share: Share of the budget in which the learning rate rises linearly.
        schedule: How the rate falls after warm-up: "cosine" (Loshchilov 2017, eq. 5) or "exponential".
        final_learning_rate_share: End of the schedule, as a share of the peak; exponential needs one above 0.
        clip_norm: Largest norm of the gradient; None does not clip.
        averaging_decay: Decay of the exponential average of the weights, which is then what is judged and kept; None
            keeps the last weights. The decay rises as (1 + t) / (10 + t), so short trainings average too.
        recalibration_images: Training images on which norm statistics of averaged weights are estimated anew.
        loss: "cross_entropy", or "binary_cross_entropy" of each class (Wightman 2021).
        label_smoothing: Mass spread over all classes (Szegedy 2016).
        augment: Random changes of the images, mixup and cutmix among them.
        distillation_weight: Share of the teacher in the loss, where a teacher is given (Hinton 2015).
        distillation_temperature: Softens both sides of the distillation loss.
        dropout, stochastic_depth: Rates for building the model; `fit` does not change a model.
        precision: Of the forward pass. "auto" is bf16 (or fp16 on cards without it) on CUDA and fp32 elsewhere: on CPUs
            bf16 is slower.
        channels_last: Memory layout; about twice as fast for depthwise networks on CPUs.
        keep: "final" weights, or those "best" on validation. The validation accuracy of the best is optimistic.
        evaluate_every: Epochs between judgements on the validation images.
        workers: Threads that read images which do not lie in memory.
        checkpoint_minutes: Longest time between two checkpoints, where a folder for them is named. It changes no
            weights.
        seed: Of order, augmentation and noise.
    """

    epochs: int | None = 30
    steps: int | None = None
    seconds: float | None = None
    batch_size: int = 64
    accumulation: int = 1
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    momentum: float = 0.9
    weight_decay: float = 1e-2
    warmup_share: float = 0.05
    schedule: ScheduleName = "cosine"
    final_learning_rate_share: float = 0.0
    clip_norm: float | None = None
    averaging_decay: float | None = None
    recalibration_images: int = 1024
    loss: str = USUAL_LOSS
    label_smoothing: float = 0.0
    augment: AugmentSettings = AugmentSettings()
    distillation_weight: float = 0.5
    distillation_temperature: float = 2.0
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    precision: PrecisionName = "auto"
    channels_last: bool = True
    keep: KeepName = "final"
    evaluate_every: int = 1
    workers: int = 2
    checkpoint_minutes: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        OPTIMIZERS.require(self.optimizer)
        LOSSES.require(self.loss)
        for name, allowed in _NAMES.items():
            value = getattr(self, name)
            if value not in allowed:
                hint = nearest(str(value), allowed)
                raise ConfigError(explain(f"unknown train.{name}{hint}", got=repr(value), allowed=", ".join(allowed)))
        for name, low, high in _LIMITS:
            if not low <= (value := getattr(self, name)) <= high:
                raise ConfigError(explain(f"impossible train.{name}", got=value, allowed=f"{low} to {high}"))
        for name in _COUNTS:
            if (value := getattr(self, name)) is not None and value < 1:
                raise ConfigError(explain(f"impossible train.{name}", got=value, allowed="1 or more"))
        for name in ("learning_rate", "distillation_temperature", "seconds", "clip_norm", "checkpoint_minutes"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ConfigError(explain(f"impossible train.{name}", got=value, allowed="above 0"))
        if self.averaging_decay is not None and not 0 < self.averaging_decay < 1:
            raise ConfigError(explain("impossible train.averaging_decay", got=self.averaging_decay, allowed="0 to 1"))
        if self.epochs is None and self.steps is None and self.seconds is None:
            raise ConfigError(
                explain("a training needs an end", remedy="Set train.epochs, train.steps or train.seconds.")
            )
        if self.batch_size < 2 * self.accumulation:
            raise ConfigError(
                explain(
                    "parts of a batch are too small for batch normalisation",
                    got=f"batch_size {self.batch_size} in {self.accumulation}",
                    allowed="two images or more per part",
                )
            )
        if self.schedule == "exponential" and not self.final_learning_rate_share:
            raise ConfigError(
                explain(
                    "an exponential schedule never reaches nothing",
                    got="final_learning_rate_share 0",
                    allowed="above 0",
                )
            )
        if self.seed < 0:
            raise ConfigError(explain("impossible train.seed", got=self.seed, allowed="0 or more"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: all that the weights depend on, and `workers`."""
        values = asdict(self)
        del values["checkpoint_minutes"]
        return without_newer_defaults(values)
