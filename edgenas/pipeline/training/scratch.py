"""Training any network from scratch on a run's images, at its own resolution, by the train section."""

from __future__ import annotations

from dataclasses import replace

from edgenas.arch import Architecture
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.images import load_images
from edgenas.pipeline.training.network import Trained
from edgenas.pipeline.training.settings import train_settings
from edgenas.pipeline.training.teacher import load_teacher, teacher_digest
from edgenas.types import Progress


def train_from_scratch(
    context: RunContext, architecture: Architecture, *, folder: str, seed: int, report: Progress | None = None
) -> Trained:
    """Train a network; a training that was stopped is taken up, one that was finished is read back.

    Args:
        context: Its settings name images and training.
        architecture: Of the images' classes and channels.
        folder: For the state, relative to the context's directory.
        seed: Of weights, order and augmentation.
        report: Told after each step.

    Raises:
        DataError: The images cannot be used.
        TrainingError: The training cannot go on.
    """
    import torch

    from edgenas.data import fit_preprocessing
    from edgenas.nn import build
    from edgenas.train import fit

    section = context.settings.train
    data = load_images(context, resolution=architecture.resolution)
    depends_on = {
        "train": section.model_dump(),
        "seed": seed,
        "data": data.digest,
        "teacher": teacher_digest(section.teacher),
    }
    state = context.state_folder(f"{folder}/{architecture.digest[:16]}", depends_on)
    preprocessing = fit_preprocessing(data.train, resize=context.settings.data.resize)
    module = build(
        architecture,
        generator=torch.Generator().manual_seed(seed),
        dropout=section.dropout,
        stochastic_depth=section.stochastic_depth,
    )
    settings = train_settings(section, seed=seed, workers=context.threads)
    found = fit(
        module,
        data,
        settings if section.keep == "best" else replace(settings, evaluate_every=10**6),
        preprocessing=preprocessing,
        teacher=load_teacher(section.teacher, classes=data.classes, preprocessing=preprocessing),
        checkpoint_dir=state,
        progress=report,
        device=context.compute_device,
    )
    module.to("cpu")
    return Trained(module=module, data=data, preprocessing=preprocessing, fit=found, from_supernet=False)
