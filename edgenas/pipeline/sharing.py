"""The supernet stage: train the shared weights that judge candidates."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture
from edgenas.config.settings import SupernetSection
from edgenas.errors import SpaceError, WeightsError
from edgenas.pipeline.context import RunContext
from edgenas.pipeline.directory import file_digest
from edgenas.pipeline.stage import Stage

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.space import SearchSpace
    from edgenas.supernet import Supernet, SupernetEvaluator
    from edgenas.supernet.settings import SupernetSettings

SUPERNET_FILE = "supernet/supernet.safetensors"
TRAINING_FILE = "supernet/training.json"
_OWN = {"scheme", "random_members", "distillation_weight", "distil_after", "teacher_weight"}


def supernet_settings(section: SupernetSection, *, seed: int, workers: int = 2) -> SupernetSettings:
    """Translate a configuration's section to the settings of a supernet's training.

    Args:
        section: The section.
        seed: Of the training.
        workers: Threads that read images which do not lie in memory.
    """
    from edgenas.data.augment_settings import AugmentSettings
    from edgenas.supernet.settings import SupernetSettings
    from edgenas.train import TrainSettings

    values = section.model_dump(exclude={*_OWN, "augment", "start", "recalibration_images"})
    train = TrainSettings(**values, augment=AugmentSettings(**section.augment.model_dump()), seed=seed, workers=workers)
    return SupernetSettings(**section.model_dump(include=_OWN), train=train)


def load_evaluator(context: RunContext, *, data: ImageData | None = None) -> SupernetEvaluator:
    """Load the run's supernet, ready to judge.

    Args:
        context: Of the run.
        data: Its images where they are at hand; loaded if None.

    Raises:
        WeightsError: Its file is damaged or belongs to another space.
    """
    from edgenas.supernet import SupernetEvaluator
    from edgenas.supernet.files import load_supernet

    device = context.compute_device
    supernet, preprocessing = load_supernet(context.directory.path / SUPERNET_FILE, space=context.space)
    return SupernetEvaluator(
        supernet.to(device),
        context.data if data is None else data,
        preprocessing,
        calibration=context.settings.supernet.recalibration_images,
        device=device,
    )


def _inputs(context: RunContext) -> Mapping[str, Any]:
    settings = context.settings
    start = settings.supernet.start
    # A key that came later must not make finished supernets look like others where it says nothing.
    unused = () if settings.supernet.teacher_weight else ("teacher_weight",)
    weights = {} if start is None else {"start": file_digest(Path(start)) if Path(start).is_file() else "absent"}
    return {
        "seed": settings.seed,
        "space": context.space.digest,
        "supernet": settings.supernet.model_dump(exclude={"recalibration_images", "start", *unused}),
        **weights,
    }


def start_from(supernet: Supernet, start: Path, *, say: Callable[[str], None]) -> None:
    """Write the weights of a trained network into a supernet: those that its member of the same shape takes.

    Args:
        supernet: Of a space that has the network; changed in place.
        start: A checkpoint, or a state dict of torchvision or timm of a published network of the space; its classifier
            and stem may be for other classes and channels, and are then left out.
        say: Told what was left out.

    Raises:
        WeightsError: The space does not have the network, or the file holds no such weights.
    """
    from edgenas.pipeline.alone import starting_weights

    genes = _member_of(supernet.space, start)
    ours = supernet.space.decode(genes)
    supernet.load_member(genes, starting_weights(start, ours, supernet.member_weights(genes), say=say))


def _member_of(space: SearchSpace, start: Path) -> NDArray[np.int64]:
    """Find out which member of a space (D,) the weights of a file are of.

    A checkpoint says so. A foreign state dict does not, so it is tried as each published network of the space.
    """
    from edgenas.nn import load_start

    published, refusals = _published_members(space), []
    for architecture in (*published.values(), space.decode(space.largest())):
        try:
            return space.encode(_for_task_of(space, load_start(start, architecture).architecture))
        except (SpaceError, WeightsError) as error:
            refusals.append(str(error))
    takes = ["a checkpoint of a member", *(f"a torchvision or timm state dict of {name}" for name in published)]
    raise WeightsError(
        f"supernet.start: {start} is not of the space {space.name}, which takes {' or '.join(takes)}: {refusals[0]}"
    )


def _published_members(space: SearchSpace) -> dict[str, Architecture]:
    """Return the published networks that a space has, by name, for its classes, channels and largest resolution."""
    from edgenas.arch.zoo import NAMES, published

    networks = {name: _for_task_of(space, published(name)) for name in NAMES}
    return {name: network for name, network in networks.items() if space.contains(network)}


def _for_task_of(space: SearchSpace, network: Architecture) -> Architecture:
    task = space.decode(space.largest())
    return replace(network, classes=task.classes, in_channels=task.in_channels, resolution=task.resolution)


def _run(context: RunContext) -> None:
    import torch

    from edgenas.supernet import Supernet, train_supernet
    from edgenas.supernet.files import save_supernet

    seed = context.seed("supernet")
    device = context.compute_device
    supernet = Supernet(context.space, generator=torch.Generator().manual_seed(seed))
    if context.settings.supernet.start is not None:
        start_from(supernet, Path(context.settings.supernet.start), say=context.say)
    settings = supernet_settings(context.settings.supernet, seed=seed, workers=context.threads)
    folder = context.state_folder("supernet/checkpoint", {**_inputs(context), "data": context.data.digest})
    with context.progress("train the supernet") as report:
        result = train_supernet(
            supernet,
            context.data,
            settings,
            preprocessing=context.preprocessing,
            progress=lambda done, total, what: report(done, total, "" if settings.train.seconds else "steps"),
            checkpoint_dir=folder,
            device=device,
        )
    for note in result.notes:
        context.say(f"  {note}")
    save_supernet(context.directory.file(SUPERNET_FILE), supernet, result.preprocessing)
    context.directory.write_json(
        TRAINING_FILE,
        {
            "scheme": settings.scheme,
            "epochs": len(result.history),
            "seconds": result.seconds,
            "images_per_second": result.images_per_second,
            "waiting_share": result.waiting_share,
            "notes": list(result.notes),
            "device": device,
            "history": [{"epoch": record.epoch + 1, "loss": record.train_loss} for record in result.history],
        },
    )
    shutil.rmtree(folder)


STAGE: Stage[RunContext] = Stage(
    name="supernet",
    title="train the supernet",
    needs=("data",),
    outputs=(SUPERNET_FILE, TRAINING_FILE),
    inputs=_inputs,
    run=_run,
)
