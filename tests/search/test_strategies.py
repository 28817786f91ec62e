"""Every strategy of the registry keeps the laws of searchers."""

from __future__ import annotations

import pytest

from edgenas.errors import SearchError
from edgenas.search import STRATEGIES, Searcher, rewarded

from .conformance import WarmStartConformance
from .spaces import WideSpace, judge, layered_space

PLAIN = sorted(name for name in STRATEGIES if not STRATEGIES[name].one_shot)


@pytest.mark.parametrize("strategy", PLAIN, scope="class")
class TestEveryStrategy(WarmStartConformance):
    @pytest.fixture(autouse=True)
    def _choose(self, strategy):
        self.strategy, self.learns = strategy, strategy != "random"

    def make(self, space, *, objectives, limits, seed, budget, known_margins=None):
        return STRATEGIES[self.strategy](
            space, objectives=objectives, limits=limits, seed=seed, budget=budget, known_margins=known_margins
        )


@pytest.mark.parametrize("strategy", PLAIN)
def test_a_reward_is_taken_by_those_that_follow_one_and_refused_by_the_others(strategy):
    def make():
        return STRATEGIES[strategy](
            layered_space(), objectives=1, limits=0, seed=0, budget=9, reward=lambda objectives, _: -objectives[:, 0]
        )

    if strategy in rewarded():
        assert make().evaluated == 0
    else:
        with pytest.raises(SearchError, match="reward"):
            make()


@pytest.mark.parametrize("known", [{"known_margins": {1: len}}, {"known_objectives": {2: len}}])
def test_what_is_known_must_be_one_of_the_objectives_or_limits(known):
    with pytest.raises(SearchError, match="indices below"):
        STRATEGIES["random"](layered_space(), objectives=2, limits=1, seed=0, budget=9, **known)


def test_a_run_that_is_known_does_not_use_up_the_draws_of_the_same_seed() -> None:
    def make() -> Searcher:
        return STRATEGIES["random"](WideSpace(), objectives=1, limits=0, seed=0, budget=4_000)

    earlier, again = make(), make()
    told = judge(earlier.ask(2_000), objectives=1, limits=0)
    again.warm_start(told)
    assert len(again.ask(8)) == 8
