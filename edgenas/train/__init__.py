"""Training: settings, the loop, accuracy. What needs torch is imported when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names, make_callable
from edgenas.train.result import Accuracy, EpochRecord, FitResult
from edgenas.train.settings import TrainSettings

if TYPE_CHECKING:
    from edgenas.train.accuracy import evaluate, predict_logits
    from edgenas.train.averaging import WeightAverage, recalibrate
    from edgenas.train.teacher import Teacher
    from edgenas.train.trainer import fit

__all__ = [
    "Accuracy",
    "EpochRecord",
    "FitResult",
    "Teacher",
    "TrainSettings",
    "WeightAverage",
    "evaluate",
    "fit",
    "predict_logits",
    "recalibrate",
]

_LAZY = {
    "Teacher": "teacher",
    "WeightAverage": "averaging",
    "evaluate": "accuracy",
    "fit": "trainer",
    "predict_logits": "accuracy",
    "recalibrate": "averaging",
}

__getattr__ = lazy_names(__name__, _LAZY)

# The job of that name in the Python interface: `edgenas.train(...)`.
make_callable(__name__, "edgenas.api.train")
