"""The registry of strategies that need nothing but a space. Heavy modules are imported when one is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgenas.errors import SearchError, explain
from edgenas.search.base import Random
from edgenas.search.evolution.ageing import Ageing
from edgenas.search.evolution.local_search import ParetoLocalSearch
from edgenas.search.evolution.nsga2 import NSGA2
from edgenas.search.protocol import CostFunction, Searcher, SpaceView
from edgenas.search.reinforce import Factorised, Reinforce, Reward, recurrent_policy
from edgenas.search.task import Task

_PPO_CLIP, _PPO_EVERY, _PPO_STEPS = 0.2, 6, 2
_RECURRENT_RATE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a searcher is made; the entries of `STRATEGIES`. Calling it makes one.

    Attributes:
        make: From a task and a reward (None for its own) to a searcher.
        follows_reward: Whether it takes a reward.
    """

    make: Callable[[Task, Reward | None], Searcher]
    follows_reward: bool = False

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
            SearchError: A number is out of range, or a reward is given to a strategy that follows none.
        """
        if reward is not None and not self.follows_reward:
            raise SearchError(explain("this strategy follows no reward", allowed=", ".join(REWARDED)))
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
    return Reinforce(task, Factorised(task.space.cardinalities), reward=reward)


def _reinforce_lstm(task: Task, reward: Reward | None) -> Searcher:
    """Make REINFORCE over the recurrent policy; torch is loaded here."""
    policy = recurrent_policy(task.space.cardinalities, seed=task.seed)
    return Reinforce(task, policy, rate=_RECURRENT_RATE, reward=reward)


def _ppo(task: Task, reward: Reward | None) -> Searcher:
    """Make PPO over the factorised policy."""
    policy = Factorised(task.space.cardinalities)
    return Reinforce(task, policy, every=_PPO_EVERY, steps=_PPO_STEPS, clip=_PPO_CLIP, reward=reward)


STRATEGIES: dict[str, Strategy] = {
    "random": Strategy(make=lambda task, _: Random(task)),
    "nsga2": Strategy(make=lambda task, _: NSGA2(task)),
    "ageing": Strategy(make=lambda task, _: Ageing(task)),
    "pareto_local_search": Strategy(make=lambda task, _: ParetoLocalSearch(task)),
    "surrogate": Strategy(make=_surrogate),
    "reinforce": Strategy(make=_reinforce, follows_reward=True),
    "reinforce_lstm": Strategy(make=_reinforce_lstm, follows_reward=True),
    "ppo": Strategy(make=_ppo, follows_reward=True),
}

REWARDED: dict[str, Strategy] = {name: one for name, one in STRATEGIES.items() if one.follows_reward}
