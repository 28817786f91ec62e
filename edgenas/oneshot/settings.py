"""How a distribution over networks is learned together with shared weights; knows no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from edgenas.errors import ConfigError, explain, nearest
from edgenas.oneshot.methods import method_of
from edgenas.train.settings import TrainSettings

CostGoal = Literal["penalty", "target"]

COST_GOALS: tuple[str, ...] = get_args(CostGoal)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShotSettings:
    """The recipe.

    Attributes:
        method: How the distribution learns, always from validation images, while weights learn from training images: a
            one-shot strategy, see `edgenas.oneshot.methods`, such as
            "tunas": REINFORCE on accuracy and the absolute reward of cost (Bender 2020);
            "gumbel": gradient through the gates of two sampled paths, relaxed by the Gumbel-softmax (ProxylessNAS, Cai
            2019; FBNet, Wu 2019);
            "darts", "darts_second_order": bi-level gradient of the expected loss (Liu 2019, first order and one
            unrolled step). DARTS itself takes the loss of the mixture of all networks.
        cost_goal: "penalty": the lower the expected cost the better; "target": the distance from `target` counts.
        target: Cost to hit; also the unit of the penalty.
        cost_weight: Of the cost, against accuracy or loss: TuNAS's -b, ProxylessNAS's lambda; the method's own if None.
        learning_rate: Of the distribution's Adam (beta1 = 0 for tunas).
        warm_up_share: Share of the budget in which only weights learn, on uniform networks (Bender 2020: 0.25).
        filter_warm_up: Whether some steps of the warm-up train the largest network, so that late choices and last
            filters are trained too (Bender 2020, section 4.2). The share of such steps falls from 1 to 0.
        baseline_decay: Of the moving average of rewards (0.95).
        temperature: First and last of the Gumbel-softmax, exponential between.
        paths: Networks whose losses stand for the expected loss of a darts step.
        cost_draws: Networks whose costs stand for the expected cost of a step.
        train: Budget, optimiser of weights, augmentation, seed. With `averaging_decay` the distribution learns from the
            averaged weights, and these are kept. "darts_second_order" allows no averaging, since it takes a step of the
            weights themselves. Dropout, stochastic depth and `keep` do not apply.
    """

    method: str = "tunas"
    cost_goal: CostGoal = "target"
    target: float
    cost_weight: float | None = None
    learning_rate: float = 0.05
    warm_up_share: float = 0.25
    filter_warm_up: bool = True
    baseline_decay: float = 0.95
    temperature: tuple[float, float] = (5.0, 0.5)
    paths: int = 4
    cost_draws: int = 512
    train: TrainSettings = TrainSettings()

    def __post_init__(self) -> None:
        method = method_of(self.method)
        if self.cost_goal not in COST_GOALS:
            what = f"unknown oneshot.cost_goal{nearest(str(self.cost_goal), COST_GOALS)}"
            raise ConfigError(explain(what, got=repr(self.cost_goal), allowed=", ".join(COST_GOALS)))
        if not method.averages and self.train.averaging_decay is not None:
            raise ConfigError(
                explain(
                    f"{self.method} learns from the weights themselves, not from their average",
                    got=f"averaging_decay {self.train.averaging_decay}",
                    remedy="Leave averaging_decay out, or take darts.",
                )
            )
        for name in ("dropout", "stochastic_depth"):
            if getattr(self.train, name):
                raise ConfigError(explain(f"oneshot.train.{name} has no meaning for a supernet", allowed=0))
        if not self.target > 0:
            raise ConfigError(explain("impossible oneshot.target", got=self.target, allowed="above 0"))
        if not (
            self.weight_of_cost >= 0
            and self.learning_rate > 0
            and min(self.temperature) > 0
            and min(self.cost_draws, self.paths) >= 2
        ):
            raise ConfigError(explain("impossible oneshot settings", got=self))
        for name in ("warm_up_share", "baseline_decay"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise ConfigError(explain(f"impossible oneshot.{name}", got=value, allowed="0 or more, below 1"))

    @property
    def weight_of_cost(self) -> float:
        """The weight of the cost, given or by the method."""
        return method_of(self.method).cost_weight if self.cost_weight is None else self.cost_weight

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "train": self.train.to_dict()}
