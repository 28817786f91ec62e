"""The settings of a run, one class a section: what a YAML may say, its defaults and its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from edgenas.arch import limits
from edgenas.config.bounds import (
    BatchSize,
    Candidates,
    Epochs,
    EpochsOrNone,
    Images,
    KiB,
    Macs,
    MiB,
    Milliseconds,
    Networks,
    Parts,
    Rate,
    Seconds,
    Seed,
    Threads,
)
from edgenas.config.needs import AUGMENT, FIT, SEARCH, SUPERNET, TRAIN, Needs, unmet
from edgenas.config.recipe import filled, forget_filled
from edgenas.reading.files import path_problem
from edgenas.reading.names import NameIn
from edgenas.text import SAFE_NAME, is_safe_name


def _path_text(text: str) -> str:
    """Refuse a text that cannot be a path, before anything is trained."""
    problem = path_problem(text)
    if problem is not None:
        raise ValueError(f"a path without control characters, of at most 255 bytes a name; this has {problem}")
    return text


Resolution = Annotated[int, Field(ge=1, le=limits.RESOLUTION)]
PathText = Annotated[str, AfterValidator(_path_text)]
Share = Annotated[float, Field(gt=0, lt=1)]
RuntimeName = Annotated[str, NameIn("edgenas.latency.runtimes:RUNTIMES")]
PrecisionName = Literal["fp32", "int8"]
StrategyName = Annotated[str, NameIn("edgenas.search.strategies:STRATEGIES")]
EstimatorName = Annotated[str, NameIn("edgenas.evaluate.registry:ESTIMATORS")]
SourceName = Annotated[str, NameIn("edgenas.data.registry:SOURCES")]
SchemeName = Annotated[str, NameIn("edgenas.supernet.registry:SCHEMES")]
OptimizerName = Annotated[str, NameIn("edgenas.train.registry:OPTIMIZERS")]
# Those of edgenas.nn.origins, which is not imported: it lies above torch.
PackageName = Literal["torchvision", "timm", "timm_tf", "efficientnet_pytorch"]
LossName = Annotated[str, NameIn("edgenas.train.registry:LOSSES")]
RecipeName = Annotated[str, NameIn("edgenas.train.recipes:RECIPES")]
RewardName = Literal["mnasnet_soft", "mnasnet_hard", "tunas_absolute", "combined"]
Metric = Literal["accuracy", "latency_ms", "macs", "params", "file_bytes", "ram_bytes"]
ArenaName = Literal["litert", "tflite_micro"]


_COMPUTE = r"^(auto|cpu|cuda(:\d+)?)$"


class Section(BaseModel):
    """A section: unknown keys are refused, types are not converted, values do not change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    needs: ClassVar[Needs] = {}

    @model_validator(mode="after")
    def _every_key_is_obeyed(self) -> Self:
        defaults = {name: type(self).model_fields[name].default for name in self.needs}
        found = unmet(self, self.needs, defaults)
        if found:
            raise ValueError("; ".join(found))
        return self


class DataSection(Section):
    """Where the images come from. Splits are stratified and always apart."""

    source: SourceName = Field("digits", description="What the images come from; all but digits need a path.")
    path: PathText | None = Field(None, description="Folder or file; for huggingface also a name. Unused by digits.")
    resolution: Resolution | None = Field(None, description="Height and width, pixels; the native size if left out.")
    resize: Literal["crop", "squash"] = Field("crop", description="What becomes of images that are not square.")
    interpolation: Literal["bilinear", "bicubic"] | None = Field(
        None, description="Filter of the resize; that of the start's weights if left out, bilinear without."
    )
    crop: float | None = Field(
        None, gt=0, le=1, description="Share of each side that is kept; of the start's weights if left out, or all."
    )
    mean: list[Annotated[float, Field(ge=-10, le=10)]] | None = Field(
        None, min_length=1, max_length=3,
        description="Of values in [0, 1] by channel, subtracted; of the start's weights, or of the training images.",
    )
    std: list[Annotated[float, Field(gt=0, le=10)]] | None = Field(
        None, min_length=1, max_length=3, description="What values are then divided by; likewise."
    )
    channels: Literal[1, 3] | None = Field(None, description="1 or 3; as the images are if left out.")
    noise_std: float = Field(0.0, ge=0, le=1, description="Gaussian noise added once, share of the full range.")
    train_limit: Images | None = Field(None, description="At most so many training images, of all classes.")
    validation_limit: Images | None = Field(None, description="At most so many validation images, of all classes.")
    test_limit: Images | None = Field(None, description="At most so many test images, of all classes.")
    validation_fraction: Share = Field(0.2, description="Of the images, where they are not split yet.")
    test_fraction: Share = Field(0.2, description="The same for the test images.")
    seed: Seed | None = Field(
        None, description="Of splits, subsets and noise; drawn from the run's seed if left out."
    )
    cache: bool = Field(True, description="Keep prepared images in the cache, for all runs on the same images.")
    cache_dir: PathText | None = Field(
        None, description="Folder of the cache; EDGENAS_CACHE, or `~/.cache/edgenas` if left out."
    )
    cache_limit_gib: float | None = Field(
        None, gt=0, le=2**20,
        description="Most that prepared images take there, GiB; half of what the disk has for them if left out.",
    )
    memory_limit_mib: MiB = Field(
        2048, description="Without a cache, larger sets (as prepared) are decoded while training."
    )

    @model_validator(mode="after")
    def _leaves_training_images(self) -> DataSection:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction below 1 together: the rest is to train on")
        return self

    @model_validator(mode="after")
    def _has_both(self) -> DataSection:
        if (self.mean is None) != (self.std is None) or len(self.mean or ()) != len(self.std or ()):
            raise ValueError("mean and std together, with as many values each")
        return self

    @model_validator(mode="after")
    def _has_path(self) -> DataSection:
        from edgenas.data.registry import SOURCES

        if SOURCES[self.source].needs_path and not self.path:
            raise ValueError(f"a path, since source is {self.source} (set data.path)")
        return self


class SpaceSection(Section):
    """Which networks are searched."""

    name: PathText = Field("mobilenet_v3", description="A preset (see `edgenas spaces`) or the path of a YAML file.")
    around: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Instead of a name: a network, by its name in `edgenas zoo`, file or notation; the space is this "
        "network and all that is smaller by depth, kernel, expansion, width and resolution.",
    )
    resolutions: list[Resolution] | None = Field(
        None,
        description="Input sizes to choose from, pixels; the size of the images if left out, and with around also two "
        "thirds and five sixths of it.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> SpaceSection:
        if self.around is not None and self.name != type(self).model_fields["name"].default:
            raise ValueError("one of name and around")
        return self


class TargetSection(Section):
    """Where the network shall run and how fast it must be there."""

    runtime: RuntimeName = Field("ort", description="What runs the files on the device.")
    precision: PrecisionName = Field("fp32", description="Of the file that the budget is about.")
    threads: Threads = Field(1, description="Threads of the runtime on the device.")
    budget_ms: Milliseconds | None = Field(None, description="Largest measured latency of the exported file, ms.")
    budget_share: float | None = Field(
        None, gt=0, le=1, description="Instead: share of the latency of the space's largest network."
    )
    max_macs: Macs | None = Field(None, description="Largest number of multiply-accumulates.")
    max_params: Macs | None = Field(None, description="Largest number of parameters.")
    max_file_kib: KiB | None = Field(None, description="Largest size of the very file that ships for the target, KiB.")
    max_ram_kib: KiB | None = Field(
        None, description="Largest memory that the runtime plans for activations of one image, KiB (docs/search.md)."
    )
    ram_of: ArenaName | None = Field(
        None, description="Whose plan max_ram_kib and ram_bytes mean; that of runtime if left out, which knows litert."
    )

    @model_validator(mode="after")
    def _one_budget(self) -> TargetSection:
        if self.budget_ms is not None and self.budget_share is not None:
            raise ValueError("one of budget_ms and budget_share")
        return self


class LatencySection(Section):
    """The latency table of the space on the target."""

    table: PathText | None = Field(
        None, description="A table file or shipped table; measured on this device if left out."
    )
    use_shipped: bool = Field(True, description="Use a shipped table of this very space and machine, where it holds.")
    networks: Annotated[Networks, Field(ge=4)] = Field(60, description="Networks to measure for a new table.")
    validation_networks: Networks = Field(
        12, description="Held-out networks on which a new table is checked."
    )
    force: bool = Field(False, description="Measure even on a busy machine.")


class AugmentSection(Section):
    """Random changes of training images; all off by default."""

    needs: ClassVar[Needs] = AUGMENT

    crop_padding: Annotated[int, Field(ge=0, le=1024)] = Field(0, description="Largest random shift, pixels.")
    crop_scale: float | None = Field(
        None, ge=0.001, le=1,
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


class OneShotSection(Section):
    """Of tunas, gumbel and darts: a distribution over networks, learned together with shared weights."""

    cost: Literal["latency_ms", "macs"] = Field("latency_ms", description="By the table, or counted.")
    goal: Literal["target", "penalty"] = Field("target", description="A cost to hit, or the lower the better.")
    target: float | None = Field(
        None, gt=0, le=1e15,
        description="Cost to hit (unit of a penalty), ms or MACs; the budget of target if left out.",
    )
    weight: float | None = Field(
        None, ge=0, le=1000,
        description="Of the cost, relative to its target; 0.1 (tunas) or 0.3 (the others) if left out.",
    )  # fmt: skip
    epochs: Epochs | None = Field(None, description="Of the training; those of supernet if left out.")
    learning_rate: Rate = Field(0.05, description="Of the distribution.")
    from_supernet: bool = Field(True, description="Go on from the weights of the supernet; no warm-up then.")
    warm_up_share: float = Field(0.25, ge=0, lt=1, description="Share of the epochs in which only weights learn.")


class SearchSection(Section):
    """How networks are chosen."""

    needs: ClassVar[Needs] = SEARCH

    strategy: StrategyName = Field("nsga2", description="Who proposes networks (docs/search.md).")
    evaluations: Candidates = Field(300, description="Distinct networks to judge.")
    objectives: list[Metric] = Field(
        default=["accuracy", "latency_ms", "macs"], min_length=1, description="What is made better at the same time."
    )
    reward: RewardName | None = Field(
        None, description="Of reinforce, reinforce_lstm and ppo; the Pareto rank of all objectives if left out."
    )
    latency: Literal["table", "measured"] = Field(
        "table", description="Latency of candidates: predicted by the table, or each measured on the device."
    )
    estimator: EstimatorName = Field(
        "supernet",
        description="Judges candidates; predictor: a strategy walks over predicted ones, the supernet judges its best; "
        "trained, short_training: each is trained by the train section, or for a ninth of that; halving: many for a "
        "ninth, the best in full; the others are zero-cost scores. See docs/estimators.md.",
    )
    judge_images: Images = Field(
        10_000,
        description="At most so many validation images judge a candidate with shared weights, every class in "
        "proportion; 10,000 leave a standard error of at most half a point.",
    )
    predictor_networks: Annotated[Candidates, Field(ge=8)] = Field(
        100, description="Random networks, of the evaluations, that the predictor is fitted on first."
    )
    predictor_candidates: Candidates = Field(50_000, description="Candidates that are predicted, in all.")
    one_shot: OneShotSection = OneShotSection()
    baseline: bool = Field(True, description="Run random search at equal cost beside it, for the report.")
    store: PathText | None = Field(
        None, description="SQLAlchemy URL or file shared between runs; the run's own if left out."
    )
    warm_start: Literal["none", "store"] = Field(
        "none",
        description="What the search starts from; store: what it knows of the same space, estimator, images and table.",
    )
    retry_failures: bool = Field(False, description="Judge candidates again that failed in an earlier run.")

    @model_validator(mode="after")
    def _distinct(self) -> SearchSection:
        if len(set(self.objectives)) != len(self.objectives):
            raise ValueError("objectives that are all different")
        if self.estimator == "predictor":
            self._require_predictable()
        if self.reward is not None:
            self._require_rewarded()
        return self

    def _require_rewarded(self) -> None:
        from edgenas.search.strategies import rewarded

        if self.strategy not in rewarded():
            raise ValueError(f"a strategy that follows a reward ({', '.join(rewarded())}), or no reward")
        from edgenas.evaluate.registry import ESTIMATORS

        if ESTIMATORS[self.estimator].unit != "1":
            raise ValueError(f"no reward with the estimator {self.estimator}: a reward weighs accuracies, no scores")

    def _require_predictable(self) -> None:
        from edgenas.search.strategies import walking

        if self.strategy not in walking():
            names = ", ".join(walking())
            raise ValueError(f"for the estimator predictor, a strategy that asks for many candidates: {names}")
        if "accuracy" not in self.objectives:
            raise ValueError("accuracy among the objectives, since that is what is predicted")
        if self.evaluations <= self.predictor_networks:
            raise ValueError("more evaluations than predictor_networks, so that what is found can be judged")


class FrontSection(Section):
    """Measuring the networks of the front on the device."""

    measure: Annotated[Networks, Field(ge=1)] = Field(
        12, description="At most so many networks of the front are measured."
    )


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


class ExportSection(Section):
    """The files that are written for the chosen network."""

    recipe: PathText = Field("mobile", description="A recipe of `export/` or the path of a YAML file.")


class ScaleSection(Section):
    """A family of the winner; none where neither phi nor targets_ms is given."""

    phi: list[Annotated[float, Field(ge=-20, le=20)]] | None = Field(
        None, min_length=1, max_length=100, description="How far; negative makes it smaller."
    )
    targets_ms: list[Milliseconds] | None = Field(
        None, min_length=1, max_length=100, description="Instead: a measured latency of each member on the target, ms."
    )
    alpha: float = Field(1.2, ge=1, le=4, description="Growth of depth for each unit of phi.")
    beta: float = Field(1.1, ge=1, le=4, description="Growth of width.")
    gamma: float = Field(1.15, ge=1, le=4, description="Growth of resolution.")
    memory_mib: MiB = Field(4096, description="Members that need more, to run or to train, are refused.")
    inherit: bool | None = Field(
        None, description="Members start from the winner's weights (docs/scaling.md); if left out, where there is a "
        "supernet.start.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_kind(self) -> ScaleSection:
        if self.phi is not None and self.targets_ms is not None:
            raise ValueError("one of phi and targets_ms")
        return self

    @property
    def wanted(self) -> bool:
        """Whether there shall be a family."""
        return self.phi is not None or self.targets_ms is not None


class WorkersSection(Section):
    """Processes that train several networks at once: candidates of a search, a validation's networks, finalists."""

    kind: Literal["local"] = Field("local", description="Where they run: processes of this machine.")
    count: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="How many networks are trained at once. More need `threads: 1`; the results are the same."
    )


class RunSettings(Section):
    """A whole run."""

    name: str = Field(pattern=SAFE_NAME, description="Names the run directory.")
    seed: Seed = Field(0, description="The same seed gives the same run.")
    output: PathText = Field("runs", description="Folder of run directories.")
    threads: Threads | None = Field(None, description="Threads for training; all cores if left out.")
    compute: str = Field(
        "auto", json_schema_extra={"pattern": _COMPUTE}, description="Where to train: auto, cpu, cuda or cuda:N."
    )
    checkpoint_minutes: Annotated[float, Field(gt=0, le=10_000)] = Field(
        10.0, description="Longest time between two checkpoints of a training; it changes no result."
    )
    data: DataSection = DataSection()
    space: SpaceSection = SpaceSection()
    target: TargetSection = TargetSection()
    latency: LatencySection = LatencySection()
    supernet: SupernetSection = SupernetSection()
    search: SearchSection = SearchSection()
    front: FrontSection = FrontSection()
    train: TrainSection = TrainSection()
    export: ExportSection = ExportSection()
    scale: ScaleSection = ScaleSection()
    workers: WorkersSection = WorkersSection()

    @model_validator(mode="after")
    def _works_with_one_thread(self) -> RunSettings:
        if self.workers.count > 1 and self.threads != 1:
            raise ValueError(
                "threads: 1 with workers.count above 1; each is one core, and another number of threads would change "
                "the last digits of a training"
            )
        return self

    @model_validator(mode="after")
    def _averages_what_can_be(self) -> RunSettings:
        if self.search.strategy == "darts_second_order" and self.supernet.averaging_decay is not None:
            raise ValueError("no supernet.averaging_decay with darts_second_order, which learns from the weights alone")
        return self

    @model_validator(mode="after")
    def _starts_from_what_there_is(self) -> RunSettings:
        if self.train.from_supernet is None:
            # Set in place: the key stays one that was left out, so that another estimator decides it anew.
            values = {"from_supernet": self._judges_with_supernet()}
            train = self.train.model_copy(update=values)
            train.__pydantic_fields_set__.discard("from_supernet")
            self.__dict__["train"] = train
        return self

    def _judges_with_supernet(self) -> bool:
        from edgenas.evaluate.registry import ESTIMATORS
        from edgenas.search.strategies import STRATEGIES

        return ESTIMATORS[self.search.estimator].needs_supernet or STRATEGIES[self.search.strategy].one_shot

    @model_validator(mode="after")
    def _halves_epochs(self) -> RunSettings:
        if self.search.estimator == "halving" and self.train.seconds is not None:
            raise ValueError("no train.seconds with the estimator halving, which compares trainings of so many epochs")
        return self

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if set(value) == {"."}:
            raise ValueError("a name with a letter or digit; this is a folder above")
        if not is_safe_name(value):
            raise ValueError("a name that every system takes for a folder of its own")
        return value

    @field_validator("compute")
    @classmethod
    def _names_a_device(cls, value: str) -> str:
        if not re.match(_COMPUTE, value):
            raise ValueError("auto, cpu, cuda or cuda:N")
        return value
