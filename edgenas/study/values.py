"""The values of a study: metrics with their source, evaluations, failures, objectives, limits, budgets."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal, get_args

from edgenas.errors import SearchError, explain
from edgenas.reading.json_text import plain_text

Source = Literal["measured", "predicted", "inherited", "trained", "score", "proxy"]
Goal = Literal["maximise", "minimise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number and where it comes from.

    Attributes:
        value: The number; finite.
        standard_error: Its standard error, None where it is not known.
        unit: "1" for shares such as an accuracy, else such as "ms" or "MAC".
        source: Whether it was measured, predicted by a table or model, inherited from shared weights, trained, a
            score of an untrained network, or a proxy. Reports always name the source.
    """

    value: float
    standard_error: float | None = None
    unit: str = "1"
    source: Source = "measured"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise SearchError(explain("a metric must be finite", got=self.value, remedy="Return a Failure instead."))
        if self.source not in get_args(Source):
            raise SearchError(
                explain("unknown source of a metric", got=self.source, allowed=", ".join(get_args(Source)))
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is known of one architecture.

    Attributes:
        digest: Digest of the architecture.
        genes: Its code in the space that was searched.
        metrics: (name, metric) pairs.
        fidelity: Share of the full effort that was spent, in (0, 1]; 1 is final.
        seconds: What it cost.
    """

    digest: str
    genes: tuple[int, ...]
    metrics: tuple[tuple[str, Metric], ...]
    fidelity: float = 1.0
    seconds: float = 0.0

    def metric(self, name: str) -> Metric:
        """Return a metric by name.

        Raises:
            SearchError: There is none of that name.
        """
        for key, metric in self.metrics:
            if key == name:
                return metric
        known = ", ".join(key for key, _ in self.metrics)
        raise SearchError(explain(f"the evaluation has no metric {name!r}", allowed=known or "none"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An evaluation that did not work; an outcome, not an exception.

    Attributes:
        reason: What went wrong, for people.
        digest: Digest of the architecture, "" where it has none.
        genes: Its code in the space that was searched; empty where it is not known.
        seconds: What it cost.
    """

    reason: str
    digest: str = ""
    genes: tuple[int, ...] = ()
    seconds: float = 0.0


Outcome = Evaluation | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric to improve, perhaps with a limit.

    Attributes:
        metric: Its name.
        goal: Direction.
        limit: Largest allowed value where minimised, smallest where maximised; None for no limit.
    """

    metric: str
    goal: Goal
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.goal not in get_args(Goal):
            raise SearchError(
                explain(f"unknown goal of {self.metric}", got=self.goal, allowed=", ".join(get_args(Goal)))
            )
        _check_limit(self.metric, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A metric that only has to stay on one side of a value, and is not improved beyond it.

    Attributes:
        metric: Its name.
        at_most: Largest allowed value, or None.
        at_least: Smallest allowed value, or None. Exactly one of the two is given.
    """

    metric: str
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise SearchError(explain(f"a limit on {self.metric} needs exactly one of at_most and at_least"))
        _check_limit(self.metric, self.at_most if self.at_most is not None else self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a search may spend. An outcome from the store takes no time but counts as an evaluation.

    Attributes:
        evaluations: Most evaluations.
        seconds: Most wall-clock seconds of this run, None for no limit; checked between batches.
    """

    evaluations: int
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.evaluations < 1 or (self.seconds is not None and not self.seconds > 0):
            raise SearchError(
                explain("a budget must be positive", got=f"{self.evaluations} evaluations, {self.seconds} seconds")
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an evaluation depends on beside the architecture.

    Attributes:
        evaluator: Name of what evaluates.
        settings: Its settings, canonical text (JSON with sorted keys); "" for none.
        data: Digest of the data, "" where no data is used.
        device: Name of the device, "" where none matters.
    """

    evaluator: str
    settings: str = ""
    data: str = ""
    device: str = ""

    def key(self, architecture: str) -> str:
        """Digest (64 hex digits) of an architecture's digest in this context."""
        return hashlib.sha256(f"{architecture} {self.text()}".encode()).hexdigest()

    def text(self) -> str:
        """The fields as JSON."""
        return plain_text([self.evaluator, self.settings, self.data, self.device])


def _check_limit(metric: str, limit: float | None) -> None:
    if limit is not None and not math.isfinite(limit):
        raise SearchError(explain(f"the limit of {metric} must be finite", got=limit))
