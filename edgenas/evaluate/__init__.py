"""Estimates of a network's worth, and the validation of estimators. Torch is imported when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.evaluate.protocol import Estimates, Evaluator
from edgenas.lazy import lazy_names

if TYPE_CHECKING:
    from edgenas.evaluate.counts import CountEvaluator
    from edgenas.evaluate.guided import GuidedRound, GuidedSearcher
    from edgenas.evaluate.halving.evaluator import HalvingEvaluator
    from edgenas.evaluate.inherited import InheritedEvaluator
    from edgenas.evaluate.latency import MeasuredLatencyEvaluator, TableLatencyEvaluator
    from edgenas.evaluate.predicted import PredictorEvaluator
    from edgenas.evaluate.scores import SCORES
    from edgenas.evaluate.trained import TrainedEvaluator, Training, shortened
    from edgenas.evaluate.validation.parts import part_validation
    from edgenas.evaluate.validation.ranking import (
        Agreement,
        Margin,
        Partial,
        agreement,
        beyond,
        cost_bands,
        kendall,
        margin,
        margin_within_bands,
        spearman,
        within_bands,
    )
    from edgenas.evaluate.validation.strata import stratified_networks
    from edgenas.evaluate.validation.validate import Judged, Validation, validate_estimators
    from edgenas.evaluate.zero_cost import ZeroCostEvaluator

__all__ = [
    "Agreement",
    "CountEvaluator",
    "Estimates",
    "Evaluator",
    "GuidedRound",
    "GuidedSearcher",
    "HalvingEvaluator",
    "InheritedEvaluator",
    "Judged",
    "Margin",
    "MeasuredLatencyEvaluator",
    "Partial",
    "PredictorEvaluator",
    "SCORES",
    "TableLatencyEvaluator",
    "TrainedEvaluator",
    "Training",
    "Validation",
    "ZeroCostEvaluator",
    "agreement",
    "beyond",
    "cost_bands",
    "kendall",
    "margin",
    "margin_within_bands",
    "part_validation",
    "shortened",
    "spearman",
    "stratified_networks",
    "validate_estimators",
    "within_bands",
]

_LAZY = {
    "Agreement": "validation.ranking",
    "CountEvaluator": "counts",
    "GuidedRound": "guided",
    "GuidedSearcher": "guided",
    "HalvingEvaluator": "halving.evaluator",
    "InheritedEvaluator": "inherited",
    "Judged": "validation.validate",
    "Margin": "validation.ranking",
    "MeasuredLatencyEvaluator": "latency",
    "Partial": "validation.ranking",
    "PredictorEvaluator": "predicted",
    "SCORES": "scores",
    "TableLatencyEvaluator": "latency",
    "TrainedEvaluator": "trained",
    "Training": "trained",
    "Validation": "validation.validate",
    "ZeroCostEvaluator": "zero_cost",
    "agreement": "validation.ranking",
    "beyond": "validation.ranking",
    "cost_bands": "validation.ranking",
    "kendall": "validation.ranking",
    "margin": "validation.ranking",
    "margin_within_bands": "validation.ranking",
    "part_validation": "validation.parts",
    "shortened": "trained",
    "spearman": "validation.ranking",
    "stratified_networks": "validation.strata",
    "validate_estimators": "validation.validate",
    "within_bands": "validation.ranking",
}

__getattr__ = lazy_names(__name__, _LAZY)
