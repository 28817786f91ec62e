"""Train one network on the images of a configuration, outside of a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.arch import Architecture
from edgenas.config.settings import RunSettings
from edgenas.errors import WeightsError, explain
from edgenas.pipeline.context import ProgressFactory, RunContext
from edgenas.pipeline.directory import RunDirectory, make_folder
from edgenas.pipeline.images import load_images
from edgenas.pipeline.teaching import load_teacher, require_teacher
from edgenas.pipeline.training import train_settings, unit_of

if TYPE_CHECKING:
    from edgenas.nn import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A finished training.

    Attributes:
        checkpoint: The file with weights, architecture, preprocessing and labels.
        validation_accuracy: In [0, 1].
        test_accuracy: In [0, 1].
        test_standard_error: Of it.
        images_per_second: Of the training, without judging.
        waiting_share: Share of the training spent waiting for images.
        device: Where it was trained.
    """

    checkpoint: Path
    validation_accuracy: float
    test_accuracy: float
    test_standard_error: float
    images_per_second: float
    waiting_share: float
    device: str


def train_alone(
    architecture: Architecture,
    settings: RunSettings,
    out: Path,
    *,
    start: Path | None = None,
    progress: ProgressFactory,
    say: Callable[[str], None],
) -> Alone:
    """Train a network by the train section of a configuration; its head is fitted to the images' classes.

    Args:
        architecture: Any network; classes, channels and resolution become those of the images.
        settings: Of a run; its data, train, seed and compute sections are used.
        out: Folder for the checkpoint and the state of the training.
        start: Weights of the same network to start from, a checkpoint or a state dict of torchvision or timm; a head
            for other classes is drawn anew.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Raises:
        WeightsError: `start` is of another network.
        DataError: The images cannot be used.
        TrainingError: The training cannot go on.
    """
    import torch

    from edgenas.data import fit_preprocessing
    from edgenas.nn import Checkpoint, build, save_checkpoint
    from edgenas.train import evaluate, fit

    require_teacher(settings.train.teacher)
    make_folder(out)
    context = RunContext(settings, RunDirectory(path=out), progress=progress, say=say)
    wanted = settings.data.resolution or (None if settings.data.source == "digits" else architecture.resolution)
    data = load_images(context, resolution=wanted)
    for note in data.notes:
        say(f"  {note}")
    fitted = fit_to_data(architecture, len(data.classes), data.channels, data.resolution, say=say)
    preprocessing = fit_preprocessing(data.train, resize=settings.data.resize)
    seed = context.seed("train")
    module = build(
        fitted,
        generator=torch.Generator().manual_seed(seed),
        dropout=settings.train.dropout,
        stochastic_depth=settings.train.stochastic_depth,
    )
    if start is not None:
        module.load_weights(starting_weights(start, fitted, module.weights(), say=say))
    device = context.compute_device
    with progress("train") as report:
        found = fit(
            module,
            data,
            train_settings(settings.train, seed=seed, workers=context.threads),
            preprocessing=preprocessing,
            teacher=load_teacher(settings.train.teacher, classes=data.classes, preprocessing=preprocessing),
            checkpoint_dir=context.directory.file("state/settings").parent,
            progress=lambda done, total: report(done, total, unit_of(settings.train)),
            device=device,
        )
    tested = evaluate(module, data.test, preprocessing, device=device)
    module.to("cpu")
    for note in found.notes:
        say(f"  {note}")
    checkpoint = out / "model.safetensors"
    metadata = {
        "preprocessing": json.dumps(preprocessing.to_dict()),
        "labels": json.dumps(list(data.classes)),
        "training": json.dumps(settings.train.model_dump()),
    }
    save_checkpoint(checkpoint, Checkpoint(architecture=fitted, weights=module.weights(), metadata=metadata))
    context.directory.write_json("training.json", found.to_dict())
    return Alone(
        checkpoint=checkpoint,
        validation_accuracy=found.validation_accuracy,
        test_accuracy=tested.value,
        test_standard_error=tested.standard_error,
        images_per_second=found.images_per_second,
        waiting_share=found.waiting_share,
        device=device,
    )


def fit_to_data(
    architecture: Architecture, classes: int, channels: int, resolution: int, *, say: Callable[[str], None]
) -> Architecture:
    """Return a network for images of other classes, channels or size, and say what was changed."""
    fitted = dataclasses.replace(architecture, classes=classes, in_channels=channels, resolution=resolution)
    for name in ("classes", "in_channels", "resolution"):
        before, after = getattr(architecture, name), getattr(fitted, name)
        if before != after:
            say(f"  {name.replace('_', ' ')}: {before} in the network, {after} for these images")
    return fitted


def starting_weights(start: Path, architecture: Architecture, fresh: Weights, *, say: Callable[[str], None]) -> Weights:
    """Read weights for a network that may differ from them in its classifier and input channels.

    Args:
        start: A checkpoint, or a state dict of torchvision or timm (`.pth` or `.safetensors`).
        architecture: The network to be trained.
        fresh: Its initial weights, kept where the checkpoint's do not fit the new task.
        say: Told what was drawn anew.

    Raises:
        WeightsError: The blocks are not the same.
    """
    from edgenas.nn import load_start

    checkpoint = load_start(start, architecture)
    theirs = checkpoint.architecture
    if tuple(theirs.blocks()) != tuple(architecture.blocks()) or theirs.stem != architecture.stem:
        raise WeightsError(
            explain(f"{start} is a checkpoint of another network", got=theirs.digest, allowed=architecture.digest)
        )
    weights, new = dict(fresh), []
    for name, value in checkpoint.weights.items():
        if name in fresh and fresh[name].shape == value.shape:
            weights[name] = value
        else:
            new.append(name)
    if new:
        say(f"  drawn anew, since their shape depends on the images: {', '.join(sorted(new))}")
    return weights
