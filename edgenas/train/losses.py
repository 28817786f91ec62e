"""The loss of a batch. Letters: B images, K classes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from edgenas.data.batches import Batch
from edgenas.train.registry import LOSSES
from edgenas.train.settings import TrainSettings


def batch_loss(logits: Tensor, batch: Batch, settings: TrainSettings, teacher_logits: Tensor | None) -> Tensor:
    """Return the mean loss of the settings' kind with smoothed or mixed targets, blended with distillation.

    Args:
        logits: (B, K).
        batch: Labels, and targets where images were mixed.
        settings: Loss, smoothing and distillation.
        teacher_logits: (B, K) of the same images, or None.
    """
    targets = batch.labels if batch.targets is None else batch.targets
    loss: Tensor = LOSSES[settings.loss](logits.float(), targets, settings)
    if teacher_logits is None:
        return loss
    soft = distillation_loss(logits.float(), teacher_logits.float(), settings.distillation_temperature)
    return (1 - settings.distillation_weight) * loss + settings.distillation_weight * soft


def cross_entropy(logits: Tensor, targets: Tensor, settings: TrainSettings) -> Tensor:
    """Return the cross-entropy with smoothed targets (Szegedy 2016).

    Args:
        logits: (B, K).
        targets: Class numbers (B,), or shares (B, K).
        settings: Smoothing.
    """
    return functional.cross_entropy(logits, targets, label_smoothing=settings.label_smoothing)


def binary_cross_entropy(logits: Tensor, targets: Tensor, settings: TrainSettings) -> Tensor:
    """Return the sum over classes of a yes-or-no cross-entropy each, with smoothed targets (Wightman 2021).

    Args:
        logits: (B, K).
        targets: Class numbers (B,), or shares (B, K).
        settings: Smoothing.
    """
    classes = logits.shape[1]
    shares = targets if targets.ndim == 2 else functional.one_hot(targets, classes)
    smooth = shares.to(logits.dtype) * (1 - settings.label_smoothing) + settings.label_smoothing / classes
    return functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none").sum(1).mean()


def distillation_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(teacher || student) at temperature T; T^2 keeps the gradient's size (Hinton 2015, section 2).

    Args:
        logits: (B, K).
        teacher_logits: (B, K).
        temperature: T.
    """
    student = functional.log_softmax(logits / temperature, 1)
    teacher = functional.log_softmax(teacher_logits / temperature, 1)
    return functional.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2
