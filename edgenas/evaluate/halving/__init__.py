"""Early stopping: many networks trained a little, few of them fully."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.evaluate.halving.curves import HalvingResult, LearningCurve
from edgenas.evaluate.halving.halving import (
    AsynchronousHalving,
    HalvingSettings,
    Job,
    ResumableEvaluator,
    asynchronous_halving,
    successive_halving,
)
from edgenas.lazy import lazy_names

if TYPE_CHECKING:
    from edgenas.evaluate.halving.candidates import TrainedCandidates
    from edgenas.evaluate.halving.evaluator import HalvingEvaluator

__all__ = [
    "AsynchronousHalving",
    "HalvingEvaluator",
    "HalvingResult",
    "HalvingSettings",
    "Job",
    "LearningCurve",
    "ResumableEvaluator",
    "TrainedCandidates",
    "asynchronous_halving",
    "successive_halving",
]

_LAZY = {
    "HalvingEvaluator": "evaluator",
    "TrainedCandidates": "candidates",
}

__getattr__ = lazy_names(__name__, _LAZY)
