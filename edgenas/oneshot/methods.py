"""The ways in which a distribution over networks learns: one entry each, which a strategy names in `learns`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edgenas.errors import ConfigError, explain, nearest
from edgenas.registry import load_part
from edgenas.search.strategies import STRATEGIES, learning

if TYPE_CHECKING:
    import numpy as np

    from edgenas.data.batches import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the distribution may learn from at one step.

    Attributes:
        held_out: Images that the weights are not trained on.
        training: The images that the weights are trained on next.
        learning_rate: Of the weights.
        temperature: Of a relaxation, such as the Gumbel-softmax; falls over the search.
        rng: Source of randomness.
    """

    held_out: Batch
    training: Batch
    learning_rate: float
    temperature: float
    rng: np.random.Generator


class Learner(Protocol):
    """A distribution over the members of a supernet that can learn; see `edgenas.oneshot.policy.PolicyLearner`."""

    def learn_by_reward(self, batch: Batch, rng: np.random.Generator) -> None:
        """Take a step by REINFORCE."""

    def learn_by_two_paths(self, batch: Batch, *, temperature: float, rng: np.random.Generator) -> None:
        """Take a step down the gradient of the gates of two sampled paths."""

    def learn_by_expectation(
        self, batch: Batch, *, rng: np.random.Generator, unrolled: tuple[Batch, float] | None = None
    ) -> None:
        """Take a step down the gradient of the expected loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShotMethod:
    """How a distribution learns.

    Attributes:
        learn: Takes one step.
        cost_weight: Of the cost unless told: against accuracy where the method learns from that, else against a loss,
            whose differences are larger.
        first_moment: Decay of the gradient's moving average in the distribution's Adam (beta1).
        averages: Whether it may learn from averaged weights; False where it takes a step of the weights themselves.
    """

    learn: Callable[[Learner, Turn], None]
    cost_weight: float = 0.3
    first_moment: float = 0.5
    averages: bool = True


def _tunas(learner: Learner, turn: Turn) -> None:
    learner.learn_by_reward(turn.held_out, turn.rng)


def _gumbel(learner: Learner, turn: Turn) -> None:
    learner.learn_by_two_paths(turn.held_out, temperature=turn.temperature, rng=turn.rng)


def _darts(learner: Learner, turn: Turn) -> None:
    learner.learn_by_expectation(turn.held_out, rng=turn.rng)


def _darts_second_order(learner: Learner, turn: Turn) -> None:
    learner.learn_by_expectation(turn.held_out, rng=turn.rng, unrolled=(turn.training, turn.learning_rate))


TUNAS = OneShotMethod(learn=_tunas, cost_weight=0.1, first_moment=0.0)
"""REINFORCE on accuracy and the absolute reward of cost (Bender 2020, with its weight of the cost, 0.10)."""
GUMBEL = OneShotMethod(learn=_gumbel)
"""Gradient through the gates of two sampled paths, relaxed by the Gumbel-softmax (Cai 2019; Wu 2019)."""
DARTS = OneShotMethod(learn=_darts)
"""Bi-level gradient of the expected loss (Liu 2019, first order)."""
DARTS_SECOND_ORDER = OneShotMethod(learn=_darts_second_order, averages=False)
"""The same, with one unrolled step of the weights (Liu 2019)."""


def method_of(name: str) -> OneShotMethod:
    """Return how the distribution of a one-shot strategy learns.

    Raises:
        ConfigError: There is no one-shot strategy of that name.
        PluginError: The package that adds it cannot be used.
    """
    names = learning()
    if name not in names:
        what = f"unknown oneshot.method{nearest(str(name), names)}"
        raise ConfigError(explain(what, got=repr(name), allowed=", ".join(names)))
    what = f"the method of the strategy {name!r} of {STRATEGIES.origin(name)}"
    return load_part(STRATEGIES[name].learns, kind=OneShotMethod, what=what)
