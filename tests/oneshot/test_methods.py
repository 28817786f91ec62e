"""One-shot methods: each strategy names its own, with what it learns from and what it needs."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.errors import ConfigError, PluginError, SearchError
from edgenas.oneshot import OneShotSettings
from edgenas.oneshot.methods import OneShotMethod, Turn, method_of
from edgenas.search.strategies import STRATEGIES, Strategy, learning
from tests.test_registry import install, site  # noqa: F401  # a fixture


class Noted:
    """Notes what a method asks of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def learn_by_reward(self, batch, rng):
        self.asked.append(("reward", batch))

    def learn_by_two_paths(self, batch, *, temperature, rng):
        self.asked.append(("two paths", batch, temperature))

    def learn_by_expectation(self, batch, *, rng, unrolled=None):
        self.asked.append(("expectation", batch, unrolled))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("tunas", ("reward", "held out")),
        ("gumbel", ("two paths", "held out", 2.5)),
        ("darts", ("expectation", "held out", None)),
        ("darts_second_order", ("expectation", "held out", ("training", 0.1))),
    ],
)
def test_every_method_learns_once_a_turn_from_images_that_weights_are_not_trained_on(name, asked):
    learner = Noted()
    turn = Turn(
        held_out="held out", training="training", learning_rate=0.1, temperature=2.5, rng=np.random.default_rng(0)
    )
    method_of(name).learn(learner, turn)
    assert learner.asked == [asked]


def test_every_one_shot_strategy_has_a_method_and_no_other_strategy_has():
    assert learning() == ("tunas", "gumbel", "darts", "darts_second_order")
    assert all(isinstance(method_of(name), OneShotMethod) for name in learning())
    assert [method_of(name).averages for name in learning()] == [True, True, True, False]
    assert [method_of(name).first_moment for name in learning()] == [0.0, 0.5, 0.5, 0.5]
    for name in STRATEGIES:
        assert STRATEGIES[name].one_shot == (name in learning())
    with pytest.raises(ConfigError, match=r"unknown oneshot.method; got 'nsga2'; allowed: tunas, gumbel, darts, "):
        OneShotSettings(method="nsga2", target=1.0)


def test_a_strategy_makes_a_searcher_or_learns():
    with pytest.raises(SearchError, match="either makes a searcher or learns"):
        Strategy()
    with pytest.raises(SearchError, match="either makes a searcher or learns"):
        Strategy(make=lambda task, reward: None, learns="somewhere:METHOD")


def test_a_method_that_is_none_is_refused_with_the_name_of_its_package(site):  # noqa: F811
    code = 'from edgenas.search import Strategy\nS = Strategy(learns="toyshot:M")\nM = 3\n'
    install(site, "toyshot", "[edgenas.strategies]\ntoy_shot = toyshot:S", code)
    with pytest.raises(PluginError, match=r"method of the strategy 'toy_shot' of toyshot 1.0 is none; got int"):
        OneShotSettings(method="toy_shot", target=1.0)
