"""The training loop: from a model, images and settings to trained weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from edgenas.data.network_input import Preprocessing, fit_preprocessing
from edgenas.data.values import ImageData
from edgenas.train.accuracy import in_evaluation
from edgenas.train.result import EpochRecord, FitResult
from edgenas.train.run import TrainingRun
from edgenas.train.settings import TrainSettings

Progress = Callable[[int, int], None]


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
    device: torch.device | str = "cpu",
) -> FitResult:
    """Train a model and leave the kept weights in it.

    Order, augmentation and noise depend on (settings.seed, epoch, step) alone, and checkpoints are written between
    epochs: a training that was killed and started again with the same arguments ends, on a CPU, with the same weights
    bit for bit. Noise inside the model is covered where it comes from torch's own generator or from an attribute
    `noise.generator` of a module, as in `edgenas.nn`.

    Args:
        model: From images (B, C, H, W) to logits (B, K); moved to `device` and changed.
        data: Train and validation splits; the test split is not touched.
        settings: The recipe.
        preprocessing: The network's input; None normalises by the statistics of the training images, at their size.
        teacher: Gives the soft targets of distillation from the same input, K logits; see `Teacher` where its
            normalisation or size is another.
        checkpoint_dir: Where to keep the state; taken up from where there is one.
        progress: Called after every step with (steps done, steps in all), or in thousandths where a clock limits.
        on_epoch: Called with every new record of the history.
        stop_after_epochs: Stop there with the schedule unfinished, to be taken up later from `checkpoint_dir`.
        device: Where to train.

    Returns:
        History and accuracy on the validation images.

    Raises:
        TrainingError: The loss is not finite (names the step), or memory ran out twice.
        WeightsError: The checkpoint or the model's output belongs to another training.
        StoreError: A checkpoint cannot be written.
    """
    target = torch.device(device)
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    model.to(target, memory_format=layout)  # type: ignore[call-overload]
    if teacher is not None:
        teacher.to(target, memory_format=layout)  # type: ignore[call-overload]
    run = TrainingRun(
        model,
        data,
        settings,
        preprocessing=preprocessing or fit_preprocessing(data.train),
        teacher=teacher,
        device=target,
    )
    if checkpoint_dir is not None:
        run.resume(checkpoint_dir)
    with in_evaluation(teacher or nn.Identity()):
        while not run.finished and (stop_after_epochs is None or run.epoch < stop_after_epochs):
            record = run.train_epoch(progress)
            if checkpoint_dir is not None:
                run.save(checkpoint_dir)
            if on_epoch is not None:
                on_epoch(record)
    return run.conclude()
