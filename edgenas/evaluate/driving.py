"""Estimators for a search that train every candidate."""

from __future__ import annotations

import math

from edgenas.evaluate.registry import Estimator, EstimatorTask, JudgeOne
from edgenas.evaluate.trained import TrainedEvaluator, shortened
from edgenas.types import Genes


def _trained(task: EstimatorTask) -> JudgeOne:
    """Train every candidate as the train section says, and judge it on the validation images."""
    evaluator = TrainedEvaluator(task.space, task.data, task.training, task.preprocessing, device=task.device)
    images = len(task.data.validation)

    def judge(genes: Genes) -> tuple[float, float | None]:
        share = evaluator.train(genes, seed=task.training.seed).validation_accuracy
        return share, math.sqrt(share * (1 - share) / images)

    return judge


def _short_training(task: EstimatorTask) -> JudgeOne:
    """Train every candidate for a ninth of the train section's budget."""
    short = EstimatorTask(
        space=task.space,
        data=task.data,
        preprocessing=task.preprocessing,
        training=shortened(task.training),
        device=task.device,
    )
    return _trained(short)


TRAINED = Estimator(make=_trained)
SHORT_TRAINING = Estimator(make=_short_training)
