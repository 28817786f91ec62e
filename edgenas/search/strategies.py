"""The registry of strategies. Heavy modules are imported when a searcher is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgenas.errors import SearchError, explain
from edgenas.registry import Registry
from edgenas.search.base import Random
from edgenas.search.evolution.ageing import Ageing
from edgenas.search.evolution.local_search import ParetoLocalSearch
from edgenas.search.evolution.nsga2 import NSGA2
from edgenas.search.protocol import CostFunction, Searcher, SpaceView
from edgenas.search.reinforce import Factorised, Reinforce, Reward, recurrent_policy
from edgenas.search.task import Task

_PPO_CLIP, _PPO_EVERY, _PPO_STEPS = 0.2, 6, 2
# Chosen on the bandit of tests/search/reinforce: with half the steps, or a smaller rate, the LSTM settles beside
# the best arm.
_RECURRENT_RATE, _RECURRENT_STEPS, _RECURRENT_ENTROPY = 0.02, 8, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a searcher is made; the entries of `STRATEGIES`. Calling it makes one.

    Attributes:
        make: From a task and a reward (None for its own) to a searcher; None for a one-shot strategy, whose searcher
            proposes draws of the distribution that `edgenas.oneshot` learned.
        learns: Of a one-shot strategy: the `edgenas.oneshot.OneShotMethod` by which it learns, as "module:attribute";
            imported when it learns.
        follows_reward: Whether it takes a reward.
        walks_predictions: Whether it can ask for tens of thousands of predicted candidates.
    """

    make: Callable[[Task, Reward | None], Searcher] | None = None
    learns: str = ""
    follows_reward: bool = False
    walks_predictions: bool = False

    @property
    def one_shot(self) -> bool:
        """Whether it learns a distribution over networks together with shared weights."""
        return bool(self.learns)

    def __post_init__(self) -> None:
        if (self.make is None) != bool(self.learns):
            raise SearchError(explain("a strategy either makes a searcher or learns a distribution: give one of both"))

    def __call__(
        self,
        space: SpaceView,
        *,
        objectives: int,
        limits: int,
        seed: int,
        budget: int,
        known_objectives: Mapping[int, CostFunction] | None = None,
        known_margins: Mapping[int, CostFunction] | None = None,
        reward: Reward | None = None,
    ) -> Searcher:
        """Make a searcher; all arguments but the last are the attributes of `Task`.

        Args:
            space: Where to search.
            objectives: M, at least 1.
            limits: K, 0 where there is none.
            seed: All randomness comes from it.
            budget: How many evaluations are planned.
            known_objectives: Objectives, by index, that cost nothing to know: from codes (N, D) to values (N,).
            known_margins: Margins to limits, by index, that cost nothing to know; what breaks one is never proposed.
            reward: From objectives (N, M) and margins (N, K) to rewards (N,); the strategy's own if None.

        Raises:
            SearchError: A number is out of range, a reward is given to a strategy that follows none, or the strategy
                is a one-shot one, which needs more than a task.
        """
        if self.make is None:
            raise SearchError(explain("a one-shot strategy needs shared weights", remedy="Use edgenas.oneshot."))
        if reward is not None and not self.follows_reward:
            raise SearchError(explain("this strategy follows no reward", allowed=", ".join(rewarded())))
        task = Task(
            space=space,
            objectives=objectives,
            limits=limits,
            seed=seed,
            budget=budget,
            known_objectives=known_objectives or {},
            known_margins=known_margins or {},
        )
        return self.make(task, reward)


def _surrogate(task: Task, reward: Reward | None) -> Searcher:
    """Make a `Surrogate` with its defaults; SciPy is loaded here."""
    from edgenas.search.bayes import Surrogate

    return Surrogate(task)


def _reinforce(task: Task, reward: Reward | None) -> Searcher:
    """Make REINFORCE over the factorised policy."""
    return Reinforce(task, Factorised(task.space), reward=reward)


def _reinforce_lstm(task: Task, reward: Reward | None) -> Searcher:
    """Make REINFORCE over the recurrent policy; torch is loaded here."""
    policy = recurrent_policy(task.space, seed=task.seed)
    return Reinforce(
        task, policy, rate=_RECURRENT_RATE, steps=_RECURRENT_STEPS, entropy_weight=_RECURRENT_ENTROPY, reward=reward
    )


def _ppo(task: Task, reward: Reward | None) -> Searcher:
    """Make PPO over the factorised policy."""
    policy = Factorised(task.space)
    return Reinforce(task, policy, every=_PPO_EVERY, steps=_PPO_STEPS, clip=_PPO_CLIP, reward=reward)


STRATEGIES: Registry[Strategy] = Registry(
    "strategy",
    group="edgenas.strategies",
    entries={
        "random": Strategy(make=lambda task, _: Random(task)),
        "nsga2": Strategy(make=lambda task, _: NSGA2(task), walks_predictions=True),
        "ageing": Strategy(make=lambda task, _: Ageing(task), walks_predictions=True),
        "pareto_local_search": Strategy(make=lambda task, _: ParetoLocalSearch(task), walks_predictions=True),
        "surrogate": Strategy(make=_surrogate),
        "reinforce": Strategy(make=_reinforce, follows_reward=True, walks_predictions=True),
        "reinforce_lstm": Strategy(make=_reinforce_lstm, follows_reward=True, walks_predictions=True),
        "ppo": Strategy(make=_ppo, follows_reward=True, walks_predictions=True),
        "tunas": Strategy(learns="edgenas.oneshot.methods:TUNAS"),
        "gumbel": Strategy(learns="edgenas.oneshot.methods:GUMBEL"),
        "darts": Strategy(learns="edgenas.oneshot.methods:DARTS"),
        "darts_second_order": Strategy(learns="edgenas.oneshot.methods:DARTS_SECOND_ORDER"),
    },
    check=lambda found: isinstance(found, Strategy),
    expected="an edgenas.search.Strategy",
    error=SearchError,
)
"""Entry points of the group `edgenas.strategies` add to it."""


def rewarded() -> tuple[str, ...]:
    """Return the names of the strategies that follow a reward."""
    return tuple(name for name in STRATEGIES if STRATEGIES[name].follows_reward)


def learning() -> tuple[str, ...]:
    """Return the names of the one-shot strategies."""
    return tuple(name for name in STRATEGIES if STRATEGIES[name].one_shot)


def walking() -> tuple[str, ...]:
    """Return the names of the strategies that can walk over predicted candidates."""
    return tuple(name for name in STRATEGIES if STRATEGIES[name].walks_predictions)
