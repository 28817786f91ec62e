"""The loss against its formulas."""

import pytest
import torch

from edgenas.data.batches import Batch
from edgenas.errors import ConfigError
from edgenas.train import TrainSettings
from edgenas.train.losses import batch_loss, distillation_loss

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
TEACHER = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
BATCH = Batch(images=torch.zeros(6, 1, 1, 1), labels=LABELS)


def test_smoothing_spreads_mass_over_all_classes() -> None:
    target = torch.nn.functional.one_hot(LABELS, 4) * 0.8 + 0.2 / 4
    expected = -(target * LOGITS.log_softmax(1)).sum(1).mean()
    assert torch.allclose(batch_loss(LOGITS, BATCH, TrainSettings(label_smoothing=0.2), None), expected)


def test_mixed_targets_that_are_pure_equal_labels() -> None:
    pure = Batch(images=BATCH.images, labels=LABELS, targets=torch.nn.functional.one_hot(LABELS, 4).float())
    settings = TrainSettings(label_smoothing=0.1)
    assert torch.allclose(batch_loss(LOGITS, pure, settings, None), batch_loss(LOGITS, BATCH, settings, None))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_the_scaled_divergence_from_the_teacher(temperature: float) -> None:
    p, q = (TEACHER / temperature).softmax(1), (LOGITS / temperature).softmax(1)
    expected = (p * (p / q).log()).sum(1).mean() * temperature**2
    assert torch.allclose(distillation_loss(LOGITS, TEACHER, temperature), expected, atol=1e-6)
    assert distillation_loss(TEACHER, TEACHER, temperature).abs() < 1e-6


def test_the_weight_blends_labels_and_teacher() -> None:
    def loss(weight: float) -> torch.Tensor:
        return batch_loss(LOGITS, BATCH, TrainSettings(distillation_weight=weight), TEACHER)

    assert torch.allclose(loss(0.0), batch_loss(LOGITS, BATCH, TrainSettings(), None))
    assert torch.allclose(loss(1.0), distillation_loss(LOGITS, TEACHER, 2.0))
    assert torch.allclose(loss(0.25), 0.75 * loss(0.0) + 0.25 * loss(1.0))


def test_the_binary_loss_is_one_question_a_class():
    settings = TrainSettings(loss="binary_cross_entropy", label_smoothing=0.2)
    share = torch.sigmoid(LOGITS)
    wanted = torch.nn.functional.one_hot(BATCH.labels, LOGITS.shape[1]) * 0.8 + 0.2 / LOGITS.shape[1]
    expected = -(wanted * share.log() + (1 - wanted) * (1 - share).log()).sum(1).mean()
    assert torch.allclose(batch_loss(LOGITS, BATCH, settings, None), expected.float(), atol=1e-5)


def test_the_usual_loss_leaves_no_trace_in_what_finished_work_is_known_by():
    assert "loss" not in TrainSettings().to_dict()
    assert TrainSettings(loss="binary_cross_entropy").to_dict()["loss"] == "binary_cross_entropy"
    with pytest.raises(ConfigError, match="unknown train.loss.*did you mean 'cross_entropy'"):
        TrainSettings(loss="cross_entropi")
