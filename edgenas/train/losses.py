"""The loss of a batch. Letters: B images, K classes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from edgenas.data.batches import Batch
from edgenas.train.settings import TrainSettings


def batch_loss(logits: Tensor, batch: Batch, settings: TrainSettings, teacher_logits: Tensor | None) -> Tensor:
    """Return the mean loss: cross-entropy with smoothed or mixed targets, blended with distillation.

    Args:
        logits: (B, K).
        batch: Labels, and targets where images were mixed.
        settings: Smoothing and distillation.
        teacher_logits: (B, K) of the same images, or None.
    """
    targets = batch.labels if batch.targets is None else batch.targets
    loss = functional.cross_entropy(logits.float(), targets, label_smoothing=settings.label_smoothing)
    if teacher_logits is None:
        return loss
    soft = distillation_loss(logits.float(), teacher_logits.float(), settings.distillation_temperature)
    return (1 - settings.distillation_weight) * loss + settings.distillation_weight * soft


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
