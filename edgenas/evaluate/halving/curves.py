"""Learning curves of many candidates, and the result of an early-stopped comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgenas.errors import TrainingError, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """What one candidate reached, and when.

    Attributes:
        candidate: Its number.
        epochs: At which it was judged, rising.
        accuracies: On the validation images, in [0, 1].
        fidelity: Share of a full training that it got; below 1 the last accuracy is partial.
        failure: Why its training failed; empty if it did not.
    """

    candidate: int
    epochs: tuple[int, ...]
    accuracies: tuple[float, ...]
    fidelity: float
    failure: str = ""

    @property
    def partial(self) -> bool:
        """Whether the last accuracy is not that of a full training."""
        return self.fidelity < 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HalvingResult:
    """An early-stopped comparison.

    Attributes:
        curves: Of every candidate that was started, by number.
        best: The candidate with the largest accuracy among those fully trained.
        accuracy: Its accuracy.
        epochs: Trained in all.
        full_epochs: What training every started candidate fully would have taken.
    """

    curves: tuple[LearningCurve, ...]
    best: int
    accuracy: float
    epochs: int
    full_epochs: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


class Curves:
    """Collects learning curves.

    Attributes:
        epochs: Trained so far, all candidates together.
    """

    def __init__(self, max_epochs: int) -> None:
        self.epochs = 0
        self._max_epochs = max_epochs
        self._points: dict[int, dict[int, float]] = {}
        self._failures: dict[int, str] = {}

    def add(self, candidate: int, from_epoch: int, to_epoch: int, accuracy: float) -> bool:
        """Add a point and return True; an accuracy that is not a number is a failed training instead."""
        self.epochs += to_epoch - from_epoch
        if math.isnan(accuracy):
            self.fail(candidate, "the accuracy is not a number")
            return False
        self._points.setdefault(candidate, {})[to_epoch] = accuracy
        return True

    def fail(self, candidate: int, reason: str) -> None:
        """Leave a candidate out from now on."""
        self._points.setdefault(candidate, {})
        self._failures[candidate] = reason

    def ranked(self, candidates: Sequence[int], *, epoch: int | None = None) -> list[int]:
        """Return those that have not failed, best first; ties and the untrained keep their order.

        Args:
            candidates: Whom to rank.
            epoch: Compare at this epoch; None compares the last points.
        """
        alive = [candidate for candidate in candidates if candidate not in self._failures]
        return sorted(alive, key=lambda candidate: -self._accuracy(candidate, epoch))

    def result(self) -> HalvingResult:
        """Return the comparison.

        Raises:
            TrainingError: No candidate was fully trained.
        """
        curves = tuple(self._curve(candidate) for candidate in sorted(self._points))
        full = [curve for curve in curves if not curve.partial and not curve.failure]
        if not full:
            reasons = "; ".join(sorted(set(self._failures.values()))[:2])
            raise TrainingError(explain("no candidate could be trained to the end", got=reasons or "no failures"))
        best = max(full, key=lambda curve: curve.accuracies[-1])
        return HalvingResult(
            curves=curves,
            best=best.candidate,
            accuracy=best.accuracies[-1],
            epochs=self.epochs,
            full_epochs=self._max_epochs * len(curves),
        )

    def _accuracy(self, candidate: int, epoch: int | None) -> float:
        points = self._points.get(candidate, {})
        if epoch is not None:
            return points[epoch]
        return points[max(points)] if points else 0.0

    def _curve(self, candidate: int) -> LearningCurve:
        points = self._points[candidate]
        return LearningCurve(
            candidate=candidate,
            epochs=tuple(sorted(points)),
            accuracies=tuple(points[epoch] for epoch in sorted(points)),
            fidelity=max(points, default=0) / self._max_epochs,
            failure=self._failures.get(candidate, ""),
        )
