"""Estimators for a search that train or score every candidate."""

from __future__ import annotations

from dataclasses import replace

from edgenas.evaluate.halving.curves import LearningCurve
from edgenas.evaluate.halving.evaluator import HalvingEvaluator
from edgenas.evaluate.halving.halving import HalvingSettings
from edgenas.evaluate.registry import Compare, EstimatorTask, Judgement, JudgeOne
from edgenas.evaluate.trained import SHORT_SHARE, TrainedEvaluator, shortened
from edgenas.evaluate.zero_cost import ZeroCostEvaluator
from edgenas.train.result import standard_error
from edgenas.types import Genes


def trained(task: EstimatorTask) -> JudgeOne:
    """Train every candidate as the train section says, and judge it on the validation images."""
    evaluator = TrainedEvaluator(task.space, task.data, task.training, task.preprocessing, device=task.device)
    images = len(task.data.validation)

    def judge(genes: Genes) -> tuple[float, float | None]:
        share = evaluator.train(genes, seed=task.training.seed).validation_accuracy
        return share, _error(share, images)

    return judge


def short_training(task: EstimatorTask) -> JudgeOne:
    """Train every candidate for a ninth of the train section's budget."""
    return trained(replace(task, training=shortened(task.training)))


def halving(task: EstimatorTask) -> Compare:
    """Train the candidates of a batch for a ninth, the best third of them for a third, the best of those in full."""
    epochs = task.training.epochs
    evaluator = HalvingEvaluator(
        task.space, task.data, task.training, task.preprocessing,
        halving=HalvingSettings(min_epochs=max(1, round(epochs * SHORT_SHARE)), max_epochs=epochs),
        folder=task.folder, device=task.device, processes=task.workers,
    )  # fmt: skip
    images = len(task.data.validation)

    def compare(genes: Genes) -> list[Judgement]:
        evaluator.evaluate(genes)
        assert evaluator.last is not None
        return [_judgement(curve, images) for curve in evaluator.last.curves]

    return compare


def score(task: EstimatorTask) -> JudgeOne:
    """Score every candidate untrained, by the zero-cost score of the estimator's name."""
    evaluator = ZeroCostEvaluator(
        task.name, task.space, task.data, task.preprocessing, seed=task.training.seed, device=task.device
    )

    def judge(genes: Genes) -> tuple[float, float | None]:
        found = evaluator.evaluate(genes[None])
        return float(found.values[0]), None if found.standard_error is None else float(found.standard_error[0])

    return judge


def _judgement(curve: LearningCurve, images: int) -> Judgement:
    if curve.failure:
        return Judgement(value=float("nan"), failure=curve.failure)
    share = curve.accuracies[-1]
    return Judgement(value=share, standard_error=_error(share, images), fidelity=curve.fidelity)


def _error(share: float, images: int) -> float:
    return standard_error(round(share * images), images)
