"""Sections about trainings: of the shared weights, of the delivered network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator
from pydantic.fields import FieldInfo

from edgenas.config.bounds import BatchSize, Epochs, EpochsOrNone, Images, Parts, Rate, Seconds
from edgenas.config.needs import AUGMENT, FIT, SUPERNET, TRAIN, Needs
from edgenas.config.recipe import filled, forget_filled
from edgenas.config.sections.names import LossName, OptimizerName, PackageName, PathText, RecipeName, SchemeName
from edgenas.config.sections.section import Section


class AugmentSection(Section):
    """Random changes of training images; all off by default."""

    needs: ClassVar[Needs] = AUGMENT

    crop_padding: Annotated[int, Field(ge=0, le=1024)] = Field(0, description="Largest random shift, pixels.")
    crop_scale: float | None = Field(
        None,
        ge=0.001,
        le=1,
        description="Random resized crop: least share of the area that is cut out and scaled; none if left out.",
    )
    crop_ratio: float = Field(4 / 3, ge=1, le=10, description="Its greatest width over height; the least is 1 over it.")
    crop_interpolation: Literal["bilinear", "bicubic"] = Field("bilinear", description="Its filter.")
    flip: bool = Field(False, description="Mirror left and right.")
    jitter: float = Field(0.0, ge=0, le=1, description="Strength of brightness, contrast and saturation changes.")
    brightness: float | None = Field(None, ge=0, le=1, description="Strength of this alone; of jitter if left out.")
    contrast: float | None = Field(None, ge=0, le=1, description="Likewise.")
    saturation: float | None = Field(None, ge=0, le=1, description="Likewise.")
    hue: float = Field(0.0, ge=0, le=0.5, description="Greatest turn of the hue, share of the circle.")
    randaugment_form: Literal["paper", "timm", "timm_increasing"] = Field(
        "paper", description="Operations and what a magnitude means (docs/training.md)."
    )
    randaugment_ops: Annotated[int, Field(ge=0, le=10)] = Field(0, description="Operations an image.")
    randaugment_magnitude: float = Field(
        0.5, ge=0, le=3, description="How strong they are; 1 is magnitude 10 of timm and TensorFlow."
    )
    randaugment_noise: float = Field(0.0, ge=0, le=1, description="Deviation of the magnitude; timm's mstd0.5 is 0.05.")
    randaugment_probability: float = Field(1.0, ge=0, le=1, description="Of each operation; timm's is 0.5.")
    erase_probability: float = Field(0.0, ge=0, le=1, description="Share of images with an erased rectangle.")
    erase_fill: Literal["mean", "noise"] = Field("mean", description="What is put there.")
    mixup_alpha: float = Field(0.0, ge=0, le=100, description="Mixed images; with cutmix too, one of both an image.")
    cutmix_alpha: float = Field(0.0, ge=0, le=100, description="Rectangles of other images.")
    repeats: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Times that an image is in a batch, changed anew each time."
    )


class FitSection(Section):
    """Keys of every training of weights. The sections of trainings add their own keys and defaults."""

    needs: ClassVar[Needs] = FIT

    recipe: RecipeName | None = Field(
        None, description="A published recipe that fills in keys which are left out (docs/recipes.md)."
    )
    epochs: Epochs = Field(40, description="Passes over the training images.")
    seconds: Seconds | None = Field(None, description="Ends the training too; then it is not repeatable.")
    batch_size: BatchSize = Field(64, description="Images an optimizer step.")
    accumulation: Parts = Field(1, description="Parts in which a batch is processed; saves memory.")
    optimizer: OptimizerName = Field("adamw", description="What turns gradients into steps.")
    learning_rate: Rate = Field(3e-3, description="Peak, after warm-up.")
    momentum: float = Field(0.9, ge=0, le=0.9999, description="Of sgd (Nesterov) and rmsprop.")
    weight_decay: float = Field(1e-2, ge=0, le=10, description="Never on norms and biases.")
    warmup_share: float = Field(0.05, ge=0, le=1, description="Share of the training in which the rate rises.")
    schedule: Literal["cosine", "exponential"] = Field("cosine", description="How the rate falls after the warm-up.")
    final_learning_rate_share: float = Field(
        0.0, ge=0, le=1, description="End of the schedule, of the peak; exponential needs one above 0."
    )
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] | None = Field(None, description="Largest norm of the gradient.")
    averaging_decay: float | None = Field(None, gt=0, lt=1, description="Decay of the average of the weights.")
    recalibration_images: Images = Field(1024, description="Training images for the average's norm statistics.")
    loss: LossName = Field("cross_entropy", description="Of the labels; a teacher adds its own part.")
    label_smoothing: float = Field(0.0, ge=0, le=0.99, description="Mass spread over all classes.")
    augment: AugmentSection = Field(AugmentSection(), description="Random changes of the images.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Of the forward pass; auto is bf16 or fp16 on CUDA and fp32 elsewhere."
    )

    @model_validator(mode="after")
    def _ends_above_nothing(self) -> Self:
        if self.schedule == "exponential" and self.final_learning_rate_share == 0:
            raise ValueError("final_learning_rate_share above 0 with schedule: exponential")
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _follows_its_recipe(cls, document: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        from edgenas.train.recipes import RECIPES

        if not isinstance(document, Mapping) or document.get("recipe") not in RECIPES:
            return handler(document)
        section = handler(filled(document, cls))
        forget_filled(section, document)
        return section


def _again(name: str, default: Any, description: str = "") -> Any:
    """Return a key of `FitSection` with another default, and with another description if its meaning is narrower."""
    told = {"description": description} if description else {}
    return FieldInfo.merge_field_infos(FitSection.model_fields[name], default=default, **told)


class SupernetSection(FitSection):
    """Training of the shared weights that judge candidates."""

    needs: ClassVar[Needs] = SUPERNET

    epochs: EpochsOrNone = Field(
        30, description="Passes over the training images; 0 takes the weights of the start as they are."
    )
    learning_rate: float = _again("learning_rate", 1e-2)
    recalibration_images: Images = _again(
        "recalibration_images", 512, "Training images for a member's normalisation statistics."
    )
    scheme: SchemeName = Field("progressive", description="Which members a step trains (docs/training.md).")
    random_members: Annotated[int, Field(ge=0, le=1000)] = Field(2, description="Of a sandwich step.")
    distillation_weight: float = Field(1.0, ge=0, le=1, description="Of a sandwich step.")
    distil_after: float = Field(0.0, ge=0, le=1, description="Share of the training before a sandwich distils.")
    teacher_weight: float = Field(
        0.0, ge=0, le=1, description="Share of the largest network, as its warm-up left it, in the loss of progressive."
    )
    teacher: PathText | None = Field(
        None, description="Checkpoint of a network of the same classes that teaches from the first step instead."
    )
    importance: Literal["none", "l1", "l2", "gamma", "l1_gamma"] | None = Field(
        None,
        description="By which channels are sorted before networks take the first of them (docs/training.md); if left "
        "out, l2 where there is a start, else none.",
    )
    kernel_transforms: bool | None = Field(
        None,
        description="Learn a transformation from each depthwise kernel to the next smaller one; if left out, where "
        "there is a start.",
    )
    start: PathText | None = Field(
        None,
        description="Weights of a network of the space that the training starts from: a checkpoint, a state dict, or "
        "a name of `edgenas weights list`; or a whole supernet of once-for-all.",
    )
    start_package: PackageName | None = Field(
        None, description="Whose network the file of `start` is, if its names do not say; timm_tf are its tf_ networks."
    )

    @model_validator(mode="after")
    def _epochs_or_start(self) -> SupernetSection:
        if self.epochs == 0 and self.start is None:
            raise ValueError("epochs of 1 or more; 0 takes the weights of a start as they are, and there is no start")
        return self


class TrainSection(FitSection):
    """Training of the chosen network, starting from the supernet's weights unless told otherwise."""

    needs: ClassVar[Needs] = TRAIN

    epochs: EpochsOrNone = Field(
        40, description="Passes over the training images; 0 delivers the weights of supernet or start as they are."
    )
    teacher: PathText | None = Field(None, description="Checkpoint of a network of the same classes, to distil from.")
    distillation_weight: float = Field(0.5, ge=0, le=1, description="Share of the teacher in the loss.")
    distillation_temperature: Rate = Field(2.0, description="Softens teacher and student.")
    dropout: float = Field(0.0, ge=0, le=0.99, description="Rate before the classifier.")
    stochastic_depth: float = Field(0.0, ge=0, le=0.99, description="Rate of the last block; earlier ones less.")
    channels_last: bool = Field(True, description="Memory layout; about twice as fast for depthwise layers.")
    keep: Literal["final", "best"] = Field("final", description="Weights; best on validation is then optimistic.")
    evaluate_every: Epochs = Field(1, description="Epochs between judgements on the validation images.")
    finalists: Annotated[int, Field(ge=1, le=100)] = Field(
        1,
        description="Networks of the front within the budget that are fine-tuned, a part of the epochs first and the "
        "better half in full; validation images choose among them (docs/search.md).",
    )
    from_supernet: bool | None = Field(
        None,
        description="Start from the supernet's weights; if left out, where the search needs a supernet. true trains "
        "one for this alone where it does not.",
    )

    @model_validator(mode="after")
    def _nothing_to_choose(self) -> TrainSection:
        if self.epochs == 0 and self.finalists > 1:
            raise ValueError("epochs of 1 or more beside finalists: they are fine-tuned")
        return self
