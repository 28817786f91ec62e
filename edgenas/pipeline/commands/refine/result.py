"""Goal and result of a refinement."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgenas.arch import Architecture
from edgenas.arch.document import to_document
from edgenas.arch.notation import format_notation
from edgenas.errors import InputError, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The goal of a refinement and its steps.

    Attributes:
        share: Wanted latency as a share of the network's own; None where `budget_ms` is given.
        budget_ms: Wanted latency, ms.
        step_share: Saving of each step, as a share of the first network's latency. It is less in the last step, and
            where no layer can save as much.
        short_steps: Optimiser steps of each proposal.
        finish: Whether the result is trained by the train section at the end.
    """

    share: float | None = None
    budget_ms: float | None = None
    step_share: float = 0.05
    short_steps: int = 40
    finish: bool = True

    def __post_init__(self) -> None:
        if (self.share is None) == (self.budget_ms is None):
            raise InputError(explain("refine needs one goal", got=f"share {self.share}, budget {self.budget_ms} ms",
                                     allowed="--to-share or --budget-ms"))  # fmt: skip
        for name in ("share", "step_share"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise InputError(explain(f"impossible {name.replace('_', ' ')}", got=value, allowed="between 0 and 1"))
        if (self.budget_ms is not None and not self.budget_ms > 0) or self.short_steps < 1:
            got = f"{self.budget_ms} ms, {self.short_steps} steps"
            raise InputError(explain("impossible budget or steps", got=got))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the walk.

    Attributes:
        layer: What was narrowed.
        before, after: Its channels.
        accuracy: On validation images after the short training, in [0, 1].
        measured_share: Latency on the device over that of the first network, measured alternately.
        share_error: Its standard error.
        proposals: How many were trained.
        digest: Of the network.
    """

    layer: str
    before: int
    after: int
    accuracy: float
    measured_share: float
    share_error: float
    proposals: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """The end of the walk.

    Attributes:
        checkpoint: The file of the network, with weights.
        architecture: The network.
        steps: The walk.
        seed_ms: Measured latency of the first network.
        latency_ms: Of this one: the share times `seed_ms`.
        measured_share, share_error: Latency over that of the first network, measured alternately at the end, and its
            standard error.
        goal_share: What was wanted.
        seed_accuracy, accuracy: Of both on validation images, in [0, 1].
        test_accuracy: Of this one on the test images.
        own_steps: Optimiser steps of the trainings that lead to this network: one short training a step, and the one at
            the end.
        all_steps: The same, with the trainings of rejected proposals.
    """

    checkpoint: Path
    architecture: Architecture
    steps: tuple[Step, ...] = field(repr=False)
    seed_ms: float
    latency_ms: float
    measured_share: float
    share_error: float
    goal_share: float
    seed_accuracy: float
    accuracy: float
    test_accuracy: float
    own_steps: int
    all_steps: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "checkpoint": str(self.checkpoint),
            "steps": [asdict(step) for step in self.steps],
            "architecture": to_document(self.architecture),
            "notation": format_notation(self.architecture),
        }
