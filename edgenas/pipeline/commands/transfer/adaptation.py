"""The supernet's part of a transfer: weights carried over, trained on, or trained from scratch to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import explain
from edgenas.pipeline.commands.transfer.result import Scratch
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.training.settings import supernet_settings
from edgenas.types import Genes

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.space import SearchSpace
    from edgenas.supernet import Supernet


JUDGE_IMAGES = 2000
"""Most validation images for the accuracy of a network. Its standard error is then 1.1 points or less."""


def carry_over(old: Supernet, new: Supernet, *, same_classes: bool) -> tuple[str, ...]:
    """Copy the shared weights of one supernet into another of the same blocks.

    The classifier is drawn anew unless the classes are the same. A stem for another number of channels takes the mean
    over the old channels, scaled so that grey images give the same sums.

    Args:
        old: Trained.
        new: Changed in place.
        same_classes: Whether the classes are the same, by name.

    Returns:
        Names of the weights that could not be copied.

    Raises:
        WeightsError: The supernets are of different blocks.
    """
    import torch

    from edgenas.errors import WeightsError

    before, replaced = old.shared_weights(), []
    with torch.no_grad():
        for name, weight in new.shared_weights().items():
            if name not in before:
                raise WeightsError(explain("the supernets are of different blocks", got=f"no {name}"))
            value = before[name].to(weight.device)
            if name.startswith("head.classifier") and not same_classes:
                replaced.append(name)
            elif value.shape == weight.shape:
                weight.copy_(value)
            elif name.startswith("stem.") and value.ndim == 4 and value.shape[0] == weight.shape[0]:
                grey = value.mean(1, keepdim=True) * (value.shape[1] / weight.shape[1])
                weight.copy_(grey.expand_as(weight))
                replaced.append(name)
            else:
                raise WeightsError(
                    explain(f"{name} cannot be carried over", got=tuple(value.shape), allowed=tuple(weight.shape))
                )
    return tuple(replaced)


def fresh(space: SearchSpace, seed: int, *, kernel_transforms: bool = False) -> Supernet:
    """Return a supernet with new weights; `kernel_transforms` as that of the run."""
    import torch

    from edgenas.supernet import Supernet

    generator = torch.Generator().manual_seed(seed)
    return Supernet(space, generator=generator, kernel_transforms=kernel_transforms)


def train_shared(
    context: RunContext, supernet: Supernet, data: ImageData, preprocessing: Preprocessing, *, epochs: int, title: str
) -> float:
    """Train a supernet by the run's settings for some epochs, resuming a stopped training; return the seconds."""
    from edgenas.supernet import train_supernet

    section = context.settings.supernet.model_copy(update={"epochs": epochs})
    settings = supernet_settings(section, context, seed=context.seed("transfer"))
    depends_on = {"settings": section.model_dump(), "data": data.digest, "title": title, "seed": settings.train.seed}
    state = context.state_folder("state/supernet", depends_on)
    with context.progress(title) as report:
        result = train_supernet(
            supernet, data, settings, preprocessing=preprocessing,
            progress=lambda done, total, what: report(done, total, "steps"), checkpoint_dir=state,
            device=context.compute_device,
        )  # fmt: skip
    return result.seconds


def inherited_accuracies(
    context: RunContext, supernet: Supernet, data: ImageData, preprocessing: Preprocessing, genes: Genes
) -> NDArray[np.float64]:
    """Accuracies (N,) that networks inherit, on at most `JUDGE_IMAGES` validation images."""
    from edgenas.supernet import SupernetEvaluator

    device = context.compute_device
    evaluator = SupernetEvaluator(
        supernet.to(device), data, preprocessing, images=JUDGE_IMAGES,
        calibration=context.settings.supernet.recalibration_images, device=device,
    )  # fmt: skip
    with context.progress("judge on the other images") as report:
        return evaluator.evaluate(genes, progress=report).accuracy


def from_scratch(
    context: RunContext,
    space: SearchSpace,
    data: ImageData,
    preprocessing: Preprocessing,
    genes: Genes,
    wanted: float,
    epochs: int,
) -> tuple[Scratch, ...]:
    """Train supernets from scratch, each with a whole schedule twice as long, until one is as good."""
    most, tried = max(epochs, context.settings.supernet.epochs), list[Scratch]()
    while not tried or (not tried[-1].mean_accuracy >= wanted and tried[-1].epochs < most):
        budget = min(most, 2 * tried[-1].epochs if tried else epochs)
        supernet = fresh(space, context.seed("transfer"))
        title = f"from scratch, {budget} epochs"
        seconds = train_shared(context, supernet, data, preprocessing, epochs=budget, title=title)
        accuracy = float(inherited_accuracies(context, supernet, data, preprocessing, genes).mean())
        tried.append(Scratch(epochs=budget, seconds=seconds, mean_accuracy=accuracy))
    return tuple(tried)
