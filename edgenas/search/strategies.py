"""The registry of strategies that need nothing but a space. Heavy modules are imported when one is made."""

from __future__ import annotations

from typing import Protocol

from edgenas.search.ageing import Ageing
from edgenas.search.base import Random
from edgenas.search.local_search import ParetoLocalSearch
from edgenas.search.nsga2 import NSGA2
from edgenas.search.protocol import Factory, Searcher, SpaceView
from edgenas.search.reinforce import Factorised, Reinforce, Reward, recurrent_policy

_PPO_CLIP = 0.2
_RECURRENT_RATE = 0.01


def surrogate(space: SpaceView, *, objectives: int, limits: int, seed: int, budget: int) -> Searcher:
    """Make a `Surrogate` with its defaults; SciPy is loaded here."""
    from edgenas.search.surrogate import Surrogate

    return Surrogate(space, objectives=objectives, limits=limits, seed=seed, budget=budget)


def reinforce(
    space: SpaceView, *, objectives: int, limits: int, seed: int, budget: int, reward: Reward | None = None
) -> Searcher:
    """Make REINFORCE over the factorised policy."""
    policy = Factorised(space.cardinalities)
    return Reinforce(space, policy, objectives=objectives, limits=limits, seed=seed, budget=budget, reward=reward)


def reinforce_lstm(
    space: SpaceView, *, objectives: int, limits: int, seed: int, budget: int, reward: Reward | None = None
) -> Searcher:
    """Make REINFORCE over the recurrent policy; torch is loaded here."""
    return Reinforce(
        space,
        recurrent_policy(space.cardinalities, seed=seed),
        objectives=objectives,
        limits=limits,
        seed=seed,
        budget=budget,
        rate=_RECURRENT_RATE,
        reward=reward,
    )


def ppo(
    space: SpaceView, *, objectives: int, limits: int, seed: int, budget: int, reward: Reward | None = None
) -> Searcher:
    """Make PPO over the factorised policy."""
    policy = Factorised(space.cardinalities)
    return Reinforce(
        space, policy, objectives=objectives, limits=limits, seed=seed, budget=budget, clip=_PPO_CLIP, reward=reward
    )


class RewardedFactory(Protocol):
    """Makes a searcher that follows a reward; the entries of `REWARDED`. A `Factory` too."""

    def __call__(
        self, space: SpaceView, *, objectives: int, limits: int, seed: int, budget: int, reward: Reward | None = None
    ) -> Searcher:
        """Make a searcher.

        Args:
            space: Where to search.
            objectives: M, at least 1.
            limits: K, 0 where there is none.
            seed: All randomness comes from it.
            budget: How many evaluations are planned.
            reward: From objectives (N, M) and margins (N, K) to rewards (N,); the strategy's own if None.
        """
        ...


REWARDED: dict[str, RewardedFactory] = {"reinforce": reinforce, "reinforce_lstm": reinforce_lstm, "ppo": ppo}

STRATEGIES: dict[str, Factory] = {
    "random": Random,
    "nsga2": NSGA2,
    "ageing": Ageing,
    "pareto_local_search": ParetoLocalSearch,
    "surrogate": surrogate,
    **REWARDED,
}
