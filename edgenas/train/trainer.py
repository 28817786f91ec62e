"""Training a network: from a model, images and settings to trained weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from edgenas.data.network_input import Preprocessing, fit_preprocessing
from edgenas.data.values import ImageData
from edgenas.train.accuracy import in_evaluation
from edgenas.train.loop.budget import Budget
from edgenas.train.loop.images import training_batches
from edgenas.train.loop.loop import Loop
from edgenas.train.network import NetworkWork
from edgenas.train.result import EpochRecord, FitResult
from edgenas.train.settings import TrainSettings
from edgenas.types import Progress


def fit(
    model: nn.Module,
    data: ImageData,
    settings: TrainSettings,
    *,
    preprocessing: Preprocessing | None = None,
    teacher: nn.Module | None = None,
    checkpoint_dir: Path | None = None,
    progress: Progress | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    stop_after_epochs: int | None = None,
    spacing_seconds: float = 0.0,
    device: torch.device | str = "cpu",
) -> FitResult:
    """Train a model and leave the kept weights in it.

    Order, augmentation and noise depend only on (settings.seed, epoch, step). So a training that was killed at any
    step and started again with the same arguments ends, on a CPU, with the same weights bit for bit. This includes
    noise inside the model if it comes from torch's own generator or from an attribute `noise.generator` of a module, as
    in `edgenas.nn`.

    Where torchrun started several processes (`edgenas.train.processes.joined`), they train together: every one calls
    this with the same arguments, a batch is divided among them, batch norm sees the part of each, and process 0 keeps
    the state. The losses are those of one process with `accumulation` set to the number of processes.

    Args:
        model: From images (B, C, H, W) to logits (B, K); moved to `device` and changed.
        data: Train and validation splits; the test split is not touched.
        settings: The recipe.
        preprocessing: The network's input; None normalises by the statistics of the training images, at their size.
        teacher: From the model's input to K logits, the soft targets of distillation. `Teacher` wraps one of another
            normalisation or size.
        checkpoint_dir: Where to keep the state. A state that lies there is resumed.
        progress: Called after every step with (steps done, steps in all, "steps"), or in thousandths ("") where a clock
            limits.
        on_epoch: Called with every new record of the history.
        stop_after_epochs: Stop after this many epochs with the schedule unfinished. A later call resumes from
            `checkpoint_dir`.
        spacing_seconds: Least seconds between two checkpoints that are written because an epoch has ended.
        device: Where to train.

    Returns:
        History and accuracy on the validation images.

    Raises:
        TrainingError: The loss is not finite (names the step), or memory ran out twice.
        WeightsError: The checkpoint or the model's output belongs to another training.
        StoreError: A checkpoint cannot be written.
        KeyboardInterrupt: Ctrl-C was pressed; the state is kept in `checkpoint_dir`.
    """
    target = torch.device(device)
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    model.to(target, memory_format=layout)  # type: ignore[call-overload]
    if teacher is not None:
        teacher.to(target, memory_format=layout)  # type: ignore[call-overload]
    preprocessing = preprocessing or fit_preprocessing(data.train)
    batches = training_batches(data.train, preprocessing, settings, device=target, section="train")
    work = NetworkWork(model, data, settings, preprocessing=preprocessing, teacher=teacher, batches=batches)
    loop = Loop(work, batches, Budget(settings, batches.steps), settings, classes=len(data.classes))
    with in_evaluation(teacher or nn.Identity()):
        loop.run(
            folder=checkpoint_dir, progress=progress, on_epoch=on_epoch, stop_after_epochs=stop_after_epochs,
            spacing_seconds=spacing_seconds,
        )
    return _result(loop, work, (*batches.notes, *work.stepper.notes), preprocessing)


def _result(
    loop: Loop[EpochRecord], work: NetworkWork, notes: tuple[str, ...], preprocessing: Preprocessing
) -> FitResult:
    accuracy = work.keep()
    judged = [record.validation_accuracy for record in work.history if record.validation_accuracy is not None]
    return FitResult(
        history=tuple(work.history),
        validation_accuracy=accuracy.value,
        validation_standard_error=accuracy.standard_error,
        best_validation_accuracy=max(judged, default=accuracy.value),
        steps=loop.budget.step,
        seconds=loop.budget.seconds,
        images_per_second=loop.images / loop.training_seconds if loop.training_seconds else 0.0,
        waiting_share=loop.waiting_seconds / loop.training_seconds if loop.training_seconds else 0.0,
        accumulation=work.stepper.accumulation,
        complete=loop.budget.spent,
        stopped=loop.budget.limit if loop.budget.spent else "stop_after_epochs",
        notes=notes,
        preprocessing=preprocessing,
    )
