"""The budget of a training and how much of it is spent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from edgenas.train.loop.schedule import spent_share, total_steps
from edgenas.train.settings import TrainSettings


class Budget:
    """Steps and seconds of a training against what its settings allow.

    The clock runs only between `start` and `pause`, so time between epochs does not count.

    Attributes:
        step: Optimizer steps so far.
        total: Optimizer steps that the settings allow; None where only the clock limits.
    """

    def __init__(self, settings: TrainSettings, steps_per_epoch: int) -> None:
        self.step = 0
        self.total = total_steps(settings, steps_per_epoch)
        self._settings = settings
        self._seconds = 0.0
        self._started: float | None = None

    def start(self) -> None:
        """Let the clock run."""
        self._started = time.perf_counter()

    def pause(self) -> None:
        """Stop the clock."""
        self._seconds, self._started = self.seconds, None

    @property
    def seconds(self) -> float:
        """Wall-clock time so far."""
        return self._seconds + (0.0 if self._started is None else time.perf_counter() - self._started)

    def share(self, *, ahead: float = 0.0) -> float:
        """Return the share that is spent, `ahead` steps from now; 1 or more is the end."""
        return spent_share(self._settings, self.step + ahead, self.total, self.seconds)

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.share() >= 1

    @property
    def limit(self) -> str:
        """The limit that has ended or will end the training: "epochs", "steps" or "seconds"."""
        if self._settings.seconds is not None and (self.total is None or self.step < self.total):
            return "seconds"
        return "steps" if self._settings.steps is not None and self.step >= self._settings.steps else "epochs"

    def progress(self) -> tuple[int, int, str]:
        """Return what is done, what is to be done and the unit: steps, or thousandths ("") where a clock limits."""
        if self._settings.seconds is None and self.total is not None:
            return self.step, self.total, "steps"
        return min(1000, round(1000 * self.share())), 1000, ""

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"step": self.step, "seconds": self.seconds}

    def load_facts(self, facts: Mapping[str, Any]) -> None:
        """Restore what `facts` returned."""
        self.step, self._seconds = facts["step"], facts["seconds"]
