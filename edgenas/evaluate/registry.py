"""The registry of estimators that can drive a search. Knows no torch, so that configurations stay light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgenas.registry import Registry
from edgenas.study.values import Source
from edgenas.types import Genes

JudgeOne: TypeAlias = Callable[[Genes], tuple[float, float | None]]
"""From a code (D,) to an accuracy in [0, 1] and its standard error; raises TrainingError where it cannot be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorTask:
    """What an estimator may use.

    Attributes:
        space: The `SearchSpace` of the candidates.
        data: The `ImageData`; test images are not to be looked at.
        preprocessing: The `Preprocessing` of the images; its resolution is replaced by each network's.
        training: The `TrainSettings` of a full training, with the seed of the search.
        device: Where torch computes.
    """

    space: Any
    data: Any
    preprocessing: Any
    training: Any
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """What judges the accuracy of candidates; the entries of `ESTIMATORS`.

    Attributes:
        make: From an `EstimatorTask` to what judges one network; None where the run's supernet judges.
        source: What kind of number it gives.
        guided: Whether strategies walk over predicted candidates, of which the best are judged.
    """

    make: Callable[[EstimatorTask], JudgeOne] | None
    source: Source = "trained"
    guided: bool = False


ESTIMATORS: Registry[Estimator] = Registry(
    "estimator",
    group="edgenas.estimators",
    entries={
        "supernet": Estimator(make=None, source="inherited"),
        "predictor": Estimator(make=None, source="inherited", guided=True),
        "trained": "edgenas.evaluate.driving:TRAINED",
        "short_training": "edgenas.evaluate.driving:SHORT_TRAINING",
    },
    check=lambda found: isinstance(found, Estimator),
    expected="an edgenas.evaluate.registry.Estimator",
)
"""Entry points of the group `edgenas.estimators` add to it."""
