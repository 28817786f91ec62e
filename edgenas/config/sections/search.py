"""Sections about the search and the front."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from edgenas.config.bounds import Candidates, Epochs, Images, Networks, Rate
from edgenas.config.needs import SEARCH, Needs
from edgenas.config.sections.names import EstimatorName, Metric, PathText, RewardName, StrategyName
from edgenas.config.sections.section import Section


class OneShotSection(Section):
    """Of tunas, gumbel and darts: a distribution over networks, learned together with shared weights."""

    cost: Literal["latency_ms", "macs"] = Field("latency_ms", description="By the table, or counted.")
    goal: Literal["target", "penalty"] = Field("target", description="A cost to hit, or the lower the better.")
    target: float | None = Field(
        None,
        gt=0,
        le=1e15,
        description="Cost to hit (unit of a penalty), ms or MACs; the budget of target if left out.",
    )
    weight: float | None = Field(
        None, ge=0, le=1000,
        description="Of the cost, relative to its target; 0.1 (tunas) or 0.3 (the others) if left out.",
    )  # fmt: skip
    epochs: Epochs | None = Field(None, description="Of the training; those of supernet if left out.")
    learning_rate: Rate = Field(0.05, description="Of the distribution.")
    from_supernet: bool = Field(True, description="Go on from the weights of the supernet; no warm-up then.")
    warm_up_share: float = Field(0.25, ge=0, lt=1, description="Share of the epochs in which only weights learn.")


class SearchSection(Section):
    """How networks are chosen."""

    needs: ClassVar[Needs] = SEARCH

    strategy: StrategyName = Field("nsga2", description="Who proposes networks (docs/search.md).")
    evaluations: Candidates = Field(300, description="Distinct networks to judge.")
    objectives: list[Metric] = Field(
        default=["accuracy", "latency_ms", "macs"], min_length=1, description="What is made better at the same time."
    )
    reward: RewardName | None = Field(
        None, description="Of reinforce, reinforce_lstm and ppo; the Pareto rank of all objectives if left out."
    )
    latency: Literal["table", "measured"] = Field(
        "table", description="Latency of candidates: predicted by the table, or each measured on the device."
    )
    estimator: EstimatorName = Field(
        "supernet",
        description="Judges candidates; predictor: a strategy walks over predicted ones, the supernet judges its best; "
        "trained, short_training: each is trained by the train section, or for a ninth of that; halving: many for a "
        "ninth, the best in full; the others are zero-cost scores. See docs/estimators.md.",
    )
    judge_images: Images = Field(
        10_000,
        description="At most so many validation images judge a candidate with shared weights, every class in "
        "proportion; 10,000 leave a standard error of at most half a point.",
    )
    predictor_networks: Annotated[Candidates, Field(ge=8)] = Field(
        100, description="Random networks, of the evaluations, that the predictor is fitted on first."
    )
    predictor_candidates: Candidates = Field(50_000, description="Candidates that are predicted, in all.")
    one_shot: OneShotSection = OneShotSection()
    baseline: bool = Field(True, description="Run random search at equal cost beside it, for the report.")
    store: PathText | None = Field(
        None, description="SQLAlchemy URL or file shared between runs; the run's own if left out."
    )
    warm_start: Literal["none", "store"] = Field(
        "none",
        description="What the search starts from; store: what it knows of the same space, estimator, images and table.",
    )
    retry_failures: bool = Field(False, description="Judge candidates again that failed in an earlier run.")

    @model_validator(mode="after")
    def _distinct(self) -> SearchSection:
        if len(set(self.objectives)) != len(self.objectives):
            raise ValueError("objectives that are all different")
        if self.estimator == "predictor":
            self._require_predictable()
        if self.reward is not None:
            self._require_rewarded()
        return self

    def _require_rewarded(self) -> None:
        from edgenas.search.strategies import rewarded

        if self.strategy not in rewarded():
            raise ValueError(f"a strategy that follows a reward ({', '.join(rewarded())}), or no reward")
        from edgenas.evaluate.registry import ESTIMATORS

        if ESTIMATORS[self.estimator].unit != "1":
            raise ValueError(f"no reward with the estimator {self.estimator}: a reward weighs accuracies, no scores")

    def _require_predictable(self) -> None:
        from edgenas.search.strategies import walking

        if self.strategy not in walking():
            names = ", ".join(walking())
            raise ValueError(f"for the estimator predictor, a strategy that asks for many candidates: {names}")
        if "accuracy" not in self.objectives:
            raise ValueError("accuracy among the objectives, since that is what is predicted")
        if self.evaluations <= self.predictor_networks:
            raise ValueError("more evaluations than predictor_networks, so that what is found can be judged")


class FrontSection(Section):
    """Measuring the networks of the front on the device."""

    measure: Annotated[Networks, Field(ge=1)] = Field(
        12, description="At most so many networks of the front are measured."
    )
