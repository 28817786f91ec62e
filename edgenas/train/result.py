"""What a training or a judgement found, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.data.network_input import Preprocessing
from edgenas.types import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accuracy:
    """Share of images that were classified rightly.

    Attributes:
        value: In [0, 1].
        standard_error: Of `value`, from the number of images alone (see `standard_error`).
        count: Images.
        predictions: Class numbers, (count,) int64.
    """

    value: float
    standard_error: float
    count: int
    predictions: NDArray[np.int64]


def standard_error(right: int, count: int) -> float:
    """Return the binomial standard error of the share `right` of `count`; see `standard_errors`."""
    return float(standard_errors(np.array([right], np.float64), count)[0])


def standard_errors(right: Floats, count: int) -> Floats:
    """Return the binomial standard errors (N,) of the shares `right` (N,) of `count`.

    One success and one failure are added first (Agresti 1998), so that none is 0 where all or none are right.
    """
    share = (right + 1) / (count + 2)
    errors: Floats = np.sqrt(share * (1 - share) / (count + 2))
    return errors


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """One epoch of a training.

    Attributes:
        epoch: From 0.
        step: Optimizer steps so far.
        learning_rate: Of the last step.
        train_loss: Mean over the epoch.
        train_accuracy: Share of right answers on the augmented images; None where images were mixed.
        validation_accuracy: None where the epoch was not judged.
        seconds: Wall-clock time of the whole training so far.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_accuracy: float | None
    validation_accuracy: float | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EpochRecord:
        """Read what `to_dict` wrote."""
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """A finished (or deliberately interrupted) training; the weights are in the model.

    Attributes:
        history: One record per epoch, those before a resume included.
        validation_accuracy: Of the kept weights, in [0, 1].
        validation_standard_error: Of it.
        best_validation_accuracy: The largest of the history.
        steps: Optimizer steps in all.
        seconds: Wall-clock time in all.
        images_per_second: Training images over training time, without judging.
        waiting_share: Share of the training time spent waiting for images.
        accumulation: Parts of a batch at the end; larger than asked for where memory ran out.
        complete: False where it stopped at `stop_after_epochs` with budget left: a partial fidelity.
        stopped: Why it ended, "epochs", "steps", "seconds" or "stop_after_epochs".
        notes: What a user may not expect, one sentence each.
        preprocessing: What the network's input is; ships with the weights.
    """

    history: tuple[EpochRecord, ...]
    validation_accuracy: float
    validation_standard_error: float
    best_validation_accuracy: float
    steps: int
    seconds: float
    images_per_second: float
    waiting_share: float
    accumulation: int
    complete: bool
    stopped: str
    notes: tuple[str, ...]
    preprocessing: Preprocessing

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)
