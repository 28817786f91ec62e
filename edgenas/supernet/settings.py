"""How a supernet is trained; knows no torch, so that configurations stay light."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgenas.errors import ConfigError, explain
from edgenas.supernet.elastic.importance import IMPORTANCES, Importance
from edgenas.supernet.registry import SCHEMES
from edgenas.train.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetSettings:
    """The recipe of a supernet's training.

    Attributes:
        scheme: Which members are trained in a step:
            "single_path": one random member (Guo 2020);
            "fair": one member; over as many steps in a row as the space's longest list of choices, every choice of
            every gene is taken equally often (Chu 2021, strict fairness, with a step of the optimiser for each member);
            "cycle": one member, in turns the largest, a random one, the smallest, a random one;
            "sandwich": the largest, the smallest and `random_members` random ones, gradients summed (Yu 2018);
            "progressive": one random member of a part of the space that grows from the largest network to all:
            first kernels, block kinds and resolutions, then depths, expansions and widths (Cai 2020). The default,
            by benchmarks/scheme_runs.py: its runs deliver the most accurate networks.
        random_members: Of a sandwich step.
        distillation_weight: Share of the largest member's outputs in the loss of the others in a sandwich step
            (Yu 2020: 1).
        distil_after: Share of the budget after which a sandwich step distils; before, all learn from labels.
        teacher_weight: Share of the teacher in the loss of a progressive training after its warm-up (Cai 2020). The
            teacher is the largest member with its weights at the end of the warm-up, softened by
            `train.distillation_temperature`.
        importance: By which channels are sorted before members take the first of them: at the beginning of every
            phase of a progressive training, and at the beginning of every other; see
            `edgenas.supernet.elastic.channels`.
        train: Budget, optimiser, augmentation, precision and seed, as for one network. `averaging_decay` averages
            the shared weights; dropout, stochastic depth and `keep` do not apply.
    """

    scheme: str = "progressive"
    random_members: int = 2
    distillation_weight: float = 1.0
    distil_after: float = 0.0
    teacher_weight: float = 0.0
    importance: Importance = "none"
    train: TrainSettings = TrainSettings()

    def __post_init__(self) -> None:
        scheme = SCHEMES[self.scheme]
        if self.importance not in IMPORTANCES:
            raise ConfigError(
                explain("unknown supernet.importance", got=repr(self.importance), allowed=", ".join(IMPORTANCES))
            )
        if self.random_members < 0:
            raise ConfigError(
                explain("impossible supernet.random_members", got=self.random_members, allowed="0 or more")
            )
        for name in ("distillation_weight", "distil_after", "teacher_weight"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ConfigError(explain(f"impossible supernet.{name}", got=value, allowed="0 to 1"))
        if self.teacher_weight and not scheme.largest_first:
            raise ConfigError(
                explain(
                    "supernet.teacher_weight needs a scheme that trains the largest network first",
                    got=self.scheme,
                    allowed=", ".join(name for name in SCHEMES if SCHEMES[name].largest_first),
                )
            )
        for name in ("dropout", "stochastic_depth"):
            if getattr(self.train, name):
                raise ConfigError(explain(f"supernet.train.{name} has no meaning for a supernet", allowed=0))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "train": self.train.to_dict()}
