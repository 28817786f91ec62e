"""The registry of estimators that can drive a search. Knows no torch, so that configurations stay light."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

from edgenas.errors import ConfigError, explain
from edgenas.registry import Registry
from edgenas.study.values import Source
from edgenas.types import Genes
from edgenas.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an estimator says of one network.

    Attributes:
        value: In the estimator's unit, larger is better; NaN where it could not be judged.
        standard_error: Of the value, None where it is not known.
        fidelity: Share of the full effort, in (0, 1]; below 1 the value guides the search and is no result.
        failure: Why it could not be judged, "" where it could.
    """

    value: float
    standard_error: float | None = None
    fidelity: float = 1.0
    failure: str = ""


JudgeOne: TypeAlias = Callable[[Genes], tuple[float, float | None]]
"""From a code (D,) to a value and its standard error; raises TrainingError where it cannot be judged."""

Compare: TypeAlias = Callable[[Genes], Sequence[Judgement]]
"""From codes (N, D) that are compared with each other to N judgements in that order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorTask:
    """What an estimator may use.

    Attributes:
        name: By which the estimator was asked for.
        space: The `SearchSpace` of the candidates.
        data: The `ImageData`; test images are not to be looked at.
        preprocessing: The `Preprocessing` of the images; its resolution is replaced by each network's.
        training: The `TrainSettings` of a full training, with the seed of the search.
        device: Where torch computes.
        folder: For what it wants to find again after an interruption; removed after the search.
        workers: Processes that may train networks which are compared. One that judges single networks needs none: the
            search asks it in several processes.
    """

    name: str
    space: Any
    data: Any
    preprocessing: Any
    training: Any
    device: str
    folder: Path
    workers: Workers = Workers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """What judges candidates; the entries of `ESTIMATORS`. With neither `make` nor `compare` the supernet judges.

    Attributes:
        make: From an `EstimatorTask` to what judges one network; a function or "module:attribute".
        compare: In the place of `make`: from a task to what judges the networks of a batch together.
        source: What kind of number it gives.
        unit: "1" where values are accuracies in [0, 1], "" where they only order networks.
        guided: Whether strategies walk over predicted candidates, of which the best are judged.
        batch: Candidates that are compared at a time; None leaves that to the search.
    """

    make: Callable[[EstimatorTask], JudgeOne] | str | None = None
    compare: Callable[[EstimatorTask], Compare] | str | None = None
    source: Source = "trained"
    unit: Literal["1", ""] = "1"
    guided: bool = False
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.make is not None and self.compare is not None:
            raise ConfigError(explain("an estimator judges one by one or in batches", got="make and compare"))
        if self.unit not in ("1", ""):
            raise ConfigError(explain("unknown unit of an estimator", got=repr(self.unit), allowed='"1" or ""'))

    @property
    def needs_supernet(self) -> bool:
        """Whether the run's shared weights judge."""
        return self.make is None and self.compare is None


def function_of(place: Callable[..., Any] | str) -> Callable[..., Any]:
    """Return a function that is given as itself or as "module:attribute"."""
    if not isinstance(place, str):
        return place
    module, _, attribute = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def is_share(value: float) -> bool:
    """Whether a value can be an accuracy; one that is not a number is a failure and no wrong share."""
    return not math.isfinite(value) or 0 <= value <= 1


_SCORES = ("naswot", "snip", "synflow", "grad_norm", "jacob_cov", "zico")
_SCORE = Estimator(make="edgenas.evaluate.driving:score", source="score", unit="")

ESTIMATORS: Registry[Estimator] = Registry(
    "estimator",
    group="edgenas.estimators",
    entries={
        "supernet": Estimator(source="inherited"),
        "predictor": Estimator(source="inherited", guided=True),
        "trained": Estimator(make="edgenas.evaluate.driving:trained"),
        "short_training": Estimator(make="edgenas.evaluate.driving:short_training"),
        "halving": Estimator(compare="edgenas.evaluate.driving:halving", batch=9),
        **dict.fromkeys(_SCORES, _SCORE),
    },
    check=lambda found: isinstance(found, Estimator),
    expected="an edgenas.evaluate.registry.Estimator",
)
"""Entry points of the group `edgenas.estimators` add to it."""
