"""Reinforcement learning over the sequence of choices: REINFORCE with a baseline, and PPO."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgenas.errors import SearchError, explain
from edgenas.pareto import constrained_ranks
from edgenas.search.base import AskTell
from edgenas.search.evolution.variation import Variation
from edgenas.search.protocol import Floats, Genes, Mask, Results
from edgenas.search.reinforce.policy import Policy
from edgenas.search.task import Task

Reward = Callable[[Floats, Floats], Floats]
"""Objectives (N, M) and margins (N, K), relative to their limits, to rewards (N,) to maximise."""

_DRAWS = 16
_ROUNDS = 6
_MOST_WARM_UPDATES = 8


class Reinforce(AskTell):
    """A policy proposes networks and learns to prefer those of high reward.

    With one objective f and limits, the reward is -f / s - penalty * sum of violations, with s the spread of f over the
    first results. So a network is not rewarded for staying far below a limit. With `absolute` the margin of one limit
    takes the place of its violation, -f / s - penalty * |cost / limit - 1|, so that the policy aims at the limit: the
    absolute reward of TuNAS (Bender 2020). With several objectives the reward is the negative root of the Pareto rank
    among all results. Advantages are taken against the mean reward of what the policy drew (the baseline).

    A network that is drawn again is not evaluated again. Its known reward enters every later update, at no cost.

    Pending: the policy as it is draws more; it is updated whenever enough results were told, in whatever order.
    Warm start: the known results make updates before the first proposal, as many as in a search that finds them, at
    most eight.
    """

    def __init__(
        self,
        task: Task,
        policy: Policy,
        *,
        initial: int = 16,
        rate: float = 0.1,
        penalty: float = 2.5,
        entropy_weight: float = 0.05,
        every: int = 8,
        steps: int = 4,
        clip: float | None = None,
        absolute: int | None = None,
        reward: Reward | None = None,
    ) -> None:
        """Make a searcher.

        Args:
            task: What is searched.
            policy: What proposes.
            initial: Random members before the policy is asked.
            rate: Step of Adam.
            penalty: Weight of a violation (or |margin|) against objectives in units of their spread.
            entropy_weight: Weight of the policy's entropy, the sum over its choices in nats.
            every: Results between updates of the policy, however many are asked for at a time.
            steps: Gradient steps of an update, each on a fresh draw of known networks (REINFORCE), or on the batch
                and the best known (PPO).
            clip: Ratio at which PPO clips (Schulman 2017, eq. 7); None for REINFORCE.
            absolute: Index of the limit that the policy aims at; None if limits are only kept. It needs a single
                objective.
            reward: Takes the place of the reward above.

        Raises:
            SearchError: `absolute` names no limit, or there are several objectives.
        """
        super().__init__(task)
        self.policy = policy
        self._initial, self._rate, self._penalty = initial, rate, penalty
        self._entropy_weight, self._steps, self._clip, self._reward = entropy_weight, steps, clip, reward
        self._every, self._waiting = every, 0
        if absolute is not None and not (task.objectives == 1 and 0 <= absolute < task.limits):
            raise SearchError(
                explain(
                    "the absolute reward needs one objective and a limit to aim at",
                    got=f"{task.objectives} objectives, limit {absolute} of {task.limits}",
                    remedy="Leave absolute out, or search for one objective under that limit.",
                )
            )
        self._absolute = absolute
        self._variation = Variation(task.space.cardinalities)
        self._genes: Genes = np.zeros((0, len(task.space.cardinalities)), dtype=np.int64)
        self._objectives: Floats = np.zeros((0, task.objectives))
        self._margins: Floats = np.zeros((0, task.limits))
        self._credit: Mask = policy.credit(self._genes)

    def _propose(self, n: int) -> Genes:
        missing = self._initial - self._counted
        if missing > 0 or len(self._genes) == 0:
            return self.newcomers.random(min(n, max(missing, 1)))
        found: list[Genes] = []
        lacking = n
        for _ in range(_ROUNDS):
            drawn = self.space.canonical(self.policy.sample(_DRAWS * lacking, self.rng))
            taken = self.newcomers.take(drawn, lacking)
            found.append(taken)
            lacking -= len(taken)
            if lacking == 0:
                return np.concatenate(found)
        # The policy draws only known networks: take neighbours of its draws.
        for _ in range(_ROUNDS):
            drawn = self._variation.mutate_one(self.policy.sample(_DRAWS * lacking, self.rng), self.rng)
            taken = self.newcomers.take(self.space.canonical(drawn), lacking)
            found.append(taken)
            lacking -= len(taken)
            if lacking == 0:
                break
        return np.concatenate(found)

    def _warm(self, results: Results) -> None:
        self._keep(results)
        self._waiting = int((~results.failed).sum())
        if self._known_results < max(self._initial, 2):
            return
        for _ in range(min(self._waiting // self._every, _MOST_WARM_UPDATES)):
            self._update()
        self._waiting = 0

    def _learn(self, results: Results) -> None:
        self._keep(results)
        self._waiting += len(results)
        told = self._known_results + self._evaluated
        if told < self._initial or len(self._genes) < 2 or self._waiting < self._every:
            return
        self._waiting = 0
        self._update()

    def _keep(self, results: Results) -> None:
        good = ~results.failed
        margins = results.violations if results.margins is None else results.margins
        self._genes = np.concatenate([self._genes, results.genes[good]])
        self._credit = np.concatenate([self._credit, self.policy.credit(results.genes[good])])
        self._objectives = np.concatenate([self._objectives, results.objectives[good]])
        self._margins = np.concatenate([self._margins, margins[good]])

    def _update(self) -> None:
        rewards = self.rewards()
        if self._clip is None:
            self._reinforce(rewards)
        else:
            self._ppo(rewards)

    def rewards(self) -> Floats:
        """Rewards (N,) of all results so far."""
        if self._reward is not None:
            return self._reward(self._objectives, self._margins)
        if self.objectives > 1:
            violation = np.maximum(self._margins, 0.0).sum(axis=1)
            return -np.sqrt(constrained_ranks(self._objectives, violation).astype(np.float64))
        first = self._objectives[: max(self._initial, 2), 0]
        spread = float(np.subtract(*np.percentile(first, [75, 25]))) or float(first.std()) or 1.0
        missed = np.maximum(self._margins, 0.0)
        if self._absolute is not None:
            missed[:, self._absolute] = np.abs(self._margins[:, self._absolute])
        return -self._objectives[:, 0] / spread - self._penalty * missed.sum(axis=1)

    def _reinforce(self, rewards: Floats) -> None:
        """Williams 1992 over the known networks as the policy would draw them.

        This is E_p[A grad log p] restricted to known networks. The weight of each is its probability under the policy,
        so one evaluation serves all later steps.
        """
        for _ in range(self._steps):
            logs = self.policy.log_chance(self._genes, self._credit)
            weight = np.exp(logs - logs.max())
            # A least weight keeps the best known networks in the update when the policy has moved away from them.
            weight = weight / weight.sum() + 0.25 * _best_weights(rewards)
            weight /= weight.sum()
            advantage = _advantages(rewards, weight)
            self.policy.step(
                self._genes,
                self._credit,
                advantage * weight * len(weight),
                rate=self._rate,
                entropy_weight=self._entropy_weight,
            )

    def _ppo(self, rewards: Floats) -> None:
        """Clipped surrogate (Schulman 2017, eq. 7); the gradient of a clipped ratio is zero."""
        assert self._clip is not None
        logs = self.policy.log_chance(self._genes, self._credit)
        weight = np.exp(logs - logs.max())
        weight = weight / weight.sum() + 0.25 * _best_weights(rewards)
        weight /= weight.sum()
        advantage = _advantages(rewards, weight)
        for _ in range(2 * self._steps):
            ratio = np.exp(np.clip(self.policy.log_chance(self._genes, self._credit) - logs, -20, 20))
            pull = clipped_pull(ratio, advantage, self._clip)
            if not pull.any():
                break
            self.policy.step(
                self._genes,
                self._credit,
                pull * weight * len(weight),
                rate=self._rate,
                entropy_weight=self._entropy_weight,
            )


def clipped_pull(ratio: Floats, advantage: Floats, clip: float) -> Floats:
    """Return d / d log p of the clipped surrogate min(r A, clip(r, 1 - c, 1 + c) A) (N,) (Schulman 2017, eq. 7).

    It is r A, and 0 where the ratio is already beyond the clip in the direction of the advantage.

    Args:
        ratio: r (N,), chance now over chance at the beginning of the update.
        advantage: A (N,).
        clip: c.
    """
    inside = np.where(advantage > 0, ratio < 1 + clip, ratio > 1 - clip)
    return np.asarray(advantage * ratio * inside)


def _advantages(rewards: Floats, weight: Floats) -> Floats:
    baseline = float((weight * rewards).sum())
    spread = float(np.sqrt((weight * (rewards - baseline) ** 2).sum()))
    return (rewards - baseline) / (spread + 1e-9)


def _best_weights(rewards: Floats) -> Floats:
    """Equal weights on the best tenth, at least eight."""
    count = min(len(rewards), max(8, len(rewards) // 10))
    weights = np.zeros(len(rewards))
    weights[np.argsort(-rewards, kind="stable")[:count]] = 1.0 / count
    return weights
