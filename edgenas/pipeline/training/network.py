"""Training one network of a run, resumable, from the supernet's weights or from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SUPERNET_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.images import load_images
from edgenas.pipeline.training.settings import train_settings
from edgenas.pipeline.training.teacher import load_teacher, teacher_digest

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.nn import GraphModule
    from edgenas.train import FitResult


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A trained network of a run.

    Attributes:
        module: With the kept weights, on the CPU.
        data: Images at the network's resolution.
        preprocessing: The network's input.
        fit: What the training found.
        from_supernet: Whether it started from shared weights.
    """

    module: GraphModule
    data: ImageData
    preprocessing: Preprocessing
    fit: FitResult
    from_supernet: bool

    def document(self) -> dict[str, Any]:
        """Return what a report shows of the training."""
        history = [
            {"epoch": record.epoch + 1, "validation_accuracy": record.validation_accuracy, "loss": record.train_loss}
            for record in self.fit.history
            if record.validation_accuracy is not None
        ]
        return {
            "epochs": len(self.fit.history),
            "from_supernet": self.from_supernet,
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


def train_network(context: RunContext, genes: NDArray[np.int64], digest: str) -> Trained:
    """Train one network of the space as the configuration says; a killed training is taken up.

    Args:
        context: Of the run.
        genes: The network, (D,).
        digest: Of its architecture; names the folder of checkpoints.

    Raises:
        TrainingError: The training cannot go on.
    """
    import torch

    from edgenas.data import fit_preprocessing
    from edgenas.nn import build
    from edgenas.train import fit

    section, seed = context.settings.train, context.seed("train")
    architecture = artifacts.space(context).decode(genes)
    data = images_at(context, architecture.resolution)
    preprocessing = fit_preprocessing(data.train, resize=context.settings.data.resize)
    module = build(
        architecture,
        generator=torch.Generator().manual_seed(seed),
        dropout=section.dropout,
        stochastic_depth=section.stochastic_depth,
    )
    if section.from_supernet:
        module.load_weights(artifacts.evaluator(context).member(genes).weights())
    device = context.compute_device
    depends_on = {
        "train": section.model_dump(),
        "seed": seed,
        "data": data.digest,
        "supernet": file_digest(context.directory.path / SUPERNET_FILE) if section.from_supernet else None,
        "teacher": teacher_digest(section.teacher),
    }
    folder = context.state_folder(f"train/{digest[:12]}", depends_on)
    teacher = load_teacher(section.teacher, classes=data.classes, preprocessing=preprocessing)
    with context.progress("train the network") as report:
        result = fit(
            module,
            data,
            train_settings(section, seed=seed, workers=context.threads),
            preprocessing=preprocessing,
            teacher=teacher,
            checkpoint_dir=folder,
            progress=report,
            device=device,
        )
    module.to("cpu")
    return Trained(
        module=module, data=data, preprocessing=preprocessing, fit=result, from_supernet=section.from_supernet
    )
