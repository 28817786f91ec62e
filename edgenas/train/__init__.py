"""Training: settings, the loop, judging, early stopping. What needs torch is imported when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names
from edgenas.train.curves import HalvingResult, LearningCurve
from edgenas.train.halving import (
    AsynchronousHalving,
    HalvingSettings,
    Job,
    ResumableEvaluator,
    asynchronous_halving,
    successive_halving,
)
from edgenas.train.result import Accuracy, EpochRecord, FitResult
from edgenas.train.settings import TrainSettings

if TYPE_CHECKING:
    from edgenas.train.averaging import WeightAverage, recalibrate
    from edgenas.train.candidates import TrainedCandidates
    from edgenas.train.judge import evaluate, predict_logits
    from edgenas.train.teacher import Teacher
    from edgenas.train.trainer import fit

__all__ = [
    "Accuracy",
    "AsynchronousHalving",
    "EpochRecord",
    "FitResult",
    "HalvingResult",
    "HalvingSettings",
    "Job",
    "LearningCurve",
    "ResumableEvaluator",
    "Teacher",
    "TrainSettings",
    "TrainedCandidates",
    "WeightAverage",
    "asynchronous_halving",
    "evaluate",
    "fit",
    "predict_logits",
    "recalibrate",
    "successive_halving",
]

_TORCH_NAMES = {
    "Teacher": "teacher",
    "TrainedCandidates": "candidates",
    "WeightAverage": "averaging",
    "evaluate": "judge",
    "fit": "trainer",
    "predict_logits": "judge",
    "recalibrate": "averaging",
}

__getattr__ = lazy_names(__name__, _TORCH_NAMES)
