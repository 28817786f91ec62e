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
    from edgenas.evaluate.parts import part_validation
    from edgenas.evaluate.predicted import PredictorEvaluator
    from edgenas.evaluate.ranking import (
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
    from edgenas.evaluate.scores import SCORES
    from edgenas.evaluate.strata import stratified_networks
    from edgenas.evaluate.trained import TrainedEvaluator, Training, shortened
    from edgenas.evaluate.validation import Judged, Validation, validate_estimators
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
    "Agreement": "ranking",
    "CountEvaluator": "counts",
    "GuidedRound": "guided",
    "GuidedSearcher": "guided",
    "HalvingEvaluator": "halving.evaluator",
    "InheritedEvaluator": "inherited",
    "Judged": "validation",
    "Margin": "ranking",
    "MeasuredLatencyEvaluator": "latency",
    "Partial": "ranking",
    "PredictorEvaluator": "predicted",
    "SCORES": "scores",
    "TableLatencyEvaluator": "latency",
    "TrainedEvaluator": "trained",
    "Training": "trained",
    "Validation": "validation",
    "ZeroCostEvaluator": "zero_cost",
    "agreement": "ranking",
    "beyond": "ranking",
    "cost_bands": "ranking",
    "kendall": "ranking",
    "margin": "ranking",
    "margin_within_bands": "ranking",
    "part_validation": "parts",
    "shortened": "trained",
    "spearman": "ranking",
    "stratified_networks": "strata",
    "validate_estimators": "validation",
    "within_bands": "ranking",
}

__getattr__ = lazy_names(__name__, _LAZY)
