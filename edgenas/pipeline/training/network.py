"""Building and fitting a network by the train section of a configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.arch import Architecture
from edgenas.errors import ConfigError, explain
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SUPERNET_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.images import load_images, preprocessing_of
from edgenas.pipeline.core.seen import history_of, trained_on
from edgenas.pipeline.training.settings import train_settings
from edgenas.pipeline.training.teacher import load_teacher, teacher_digest
from edgenas.train.registry import without_newer_defaults
from edgenas.types import Genes, Progress

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.data.identity import ImageHistory
    from edgenas.nn import GraphModule, Weights
    from edgenas.train import FitResult


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A trained network of a run.

    Attributes:
        module: With the kept weights, on the CPU.
        data: Images at the network's resolution.
        preprocessing: The network's input.
        fit: What the training found.
        started_from_weights: Whether it started from given weights, not from random ones.
        history: Training images of the network and of the weights it comes from; None if they are not known.
    """

    module: GraphModule
    data: ImageData
    preprocessing: Preprocessing
    fit: FitResult
    started_from_weights: bool
    history: ImageHistory | None

    def document(self) -> dict[str, Any]:
        """Return what a report shows of the training."""
        history = [
            {"epoch": record.epoch + 1, "validation_accuracy": record.validation_accuracy, "loss": record.train_loss}
            for record in self.fit.history
            if record.validation_accuracy is not None
        ]
        return {
            "epochs": len(self.fit.history),
            "from_supernet": self.started_from_weights,
            "seconds": self.fit.seconds,
            "images_per_second": self.fit.images_per_second,
            "waiting_share": self.fit.waiting_share,
            "validation_accuracy": self.fit.validation_accuracy,
            "validation_standard_error": self.fit.validation_standard_error,
            "notes": list(self.fit.notes),
            "history": history,
        }


def images_at(context: RunContext, resolution: int) -> ImageData:
    """Return the run's images at a network's resolution."""
    own = artifacts.images(context)
    return own if own.resolution == resolution else load_images(context, resolution=resolution)


def train_network(
    context: RunContext,
    architecture: Architecture,
    data: ImageData,
    preprocessing: Preprocessing,
    *,
    seed: int,
    initial: Callable[[Weights], Weights] | None = None,
    ancestor: Path | None = None,
    changes: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a network by the train section. A training that was stopped is resumed.

    Args:
        context: Its settings name the training and the teacher.
        architecture: Of the images' classes and channels.
        data: Images at the network's resolution.
        preprocessing: The network's input.
        seed: Of weights, order and augmentation.
        initial: From the fresh weights to the weights to start from; None starts from the fresh ones.
        ancestor: The file that these weights come from.
        changes: Settings of this training that are not those of the section, by name.
        folder: Of the checkpoints.
        progress: Told after each step.

    Raises:
        TrainingError: The training cannot go on.
        WeightsError: The teacher or the weights are of other classes or another network.
        ConfigError: There are no epochs, and no weights to start from.
    """
    from edgenas.train.architecture import train_architecture

    section = context.settings.train
    ancestors = []
    if initial is not None:
        ancestors.append(("the weights that it started from", None if ancestor is None else history_of(ancestor)))
    if section.teacher is not None:
        ancestors.append(("its teacher's weights", history_of(Path(section.teacher))))
    if section.epochs == 0 and not {"epochs", "steps"} & set(changes or ()):
        return as_it_is(context, architecture, data, preprocessing, initial=initial, ancestors=ancestors)
    settings = train_settings(section, context, seed=seed)
    module, found = train_architecture(
        architecture,
        data,
        dataclasses.replace(settings, **(changes or {})),
        preprocessing=preprocessing,
        initial=initial,
        teacher=load_teacher(section.teacher, classes=data.classes, preprocessing=preprocessing),
        folder=folder,
        progress=progress,
        device=context.compute_device,
    )
    return Trained(
        module=module, data=data, preprocessing=preprocessing, fit=found, started_from_weights=initial is not None,
        history=trained_on(data, *ancestors),
    )  # fmt: skip


def as_it_is(
    context: RunContext,
    architecture: Architecture,
    data: ImageData,
    preprocessing: Preprocessing,
    *,
    initial: Callable[[Weights], Weights] | None,
    ancestors: Sequence[tuple[str, ImageHistory | None]],
) -> Trained:
    """Judge a network with the weights that it starts from, where its training has no epochs.

    Raises:
        ConfigError: There are none to start from.
    """
    from edgenas.nn import build
    from edgenas.train import FitResult, evaluate

    if initial is None:
        remedy = "Set train.epochs, or train.from_supernet: true."
        raise ConfigError(explain("nothing is trained and there are no weights to start from", got=0, remedy=remedy))
    module, device = build(architecture), context.compute_device
    module.load_weights(initial(module.weights()))
    judged = evaluate(module.to(device), data.validation, preprocessing, device=device)
    module.to("cpu")
    found = FitResult(
        history=(), validation_accuracy=judged.value, validation_standard_error=judged.standard_error,
        best_validation_accuracy=judged.value, steps=0, seconds=0.0, images_per_second=0.0, waiting_share=0.0,
        accumulation=1, complete=True, stopped="epochs", notes=("Nothing was trained: the weights are inherited.",),
        preprocessing=preprocessing,
    )  # fmt: skip
    return Trained(
        module=module, data=data, preprocessing=preprocessing, fit=found, started_from_weights=True,
        history=trained_on(data, *ancestors),
    )  # fmt: skip


def train_member(context: RunContext, genes: Genes, digest: str, *, epochs: int | None = None) -> Trained:
    """Train one network of a run's space, from the supernet's weights unless the section says otherwise.

    Args:
        context: Of the run.
        genes: The network, (D,).
        digest: Of its architecture; names the folder of checkpoints.
        epochs: Other than the section's; seconds are shortened alike.

    Raises:
        TrainingError: The training cannot go on.
    """
    section, seed = context.settings.train, context.seed("train")
    architecture = artifacts.space(context).decode(genes)
    data, preprocessing = _images(context, architecture)
    supernet = file_digest(context.directory.path / SUPERNET_FILE) if section.from_supernet else None
    short: dict[str, Any] = {} if epochs in (None, section.epochs) else {"epochs": epochs}
    if short and epochs is not None and section.epochs is not None and section.seconds is not None:
        short["seconds"] = section.seconds * epochs / section.epochs
    name = f"train/{digest[:12]}" + (f"-{epochs}" if short else "")
    folder = _folder(context, name, data, seed=seed, supernet=supernet)
    with context.progress("train the network") as report:
        return train_network(
            context,
            architecture,
            data,
            preprocessing,
            seed=seed,
            initial=(lambda _: artifacts.evaluator(context).member(genes).weights()) if section.from_supernet else None,
            ancestor=context.directory.path / SUPERNET_FILE,
            changes=short,
            folder=folder,
            progress=report,
        )


def train_afresh(
    context: RunContext,
    architecture: Architecture,
    *,
    folder: str,
    seed: int,
    progress: Progress | None = None,
    initial: Callable[[Weights], Weights] | None = None,
    ancestor: Path | None = None,
) -> Trained:
    """Train any network at its own resolution, from random weights unless told otherwise.

    Args:
        context: Its settings name images and training.
        architecture: Of the images' classes and channels.
        folder: For the state, relative to the context's directory.
        seed: Of weights, order and augmentation.
        progress: Told after each step.
        initial, ancestor: See `train_network`.

    Raises:
        DataError: The images cannot be used.
        TrainingError: The training cannot go on.
    """
    data, preprocessing = _images(context, architecture)
    more = {} if ancestor is None else {"start": file_digest(ancestor)}
    state = _folder(context, f"{folder}/{architecture.digest[:16]}", data, seed=seed, **more)
    # Evaluated once at the end, unless the best weights are kept: accuracies on the way decide nothing.
    changes = {} if context.settings.train.keep == "best" else {"evaluate_every": 10**6}
    return train_network(
        context, architecture, data, preprocessing, seed=seed, changes=changes, folder=state, progress=progress,
        initial=initial, ancestor=ancestor,
    )  # fmt: skip


def _images(context: RunContext, architecture: Architecture) -> tuple[ImageData, Preprocessing]:
    data = images_at(context, architecture.resolution)
    return data, preprocessing_of(context, data)


def _folder(context: RunContext, name: str, data: ImageData, *, seed: int, **more: str | None) -> Path:
    """Return the folder for the state of a training. Other dependencies give another folder."""
    section = context.settings.train
    depends_on = {"train": without_newer_defaults(section.model_dump()), "seed": seed, "data": data.digest, **more}
    return context.state_folder(name, {**depends_on, "teacher": teacher_digest(section.teacher)})
