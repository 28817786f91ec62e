"""Known results and told ones together make up the first phase of a policy."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.search import STRATEGIES
from tests.search.spaces import WideSpace, judge


@pytest.mark.parametrize(("known", "moves"), [(12, True), (2, False)])
def test_a_policy_is_updated_when_known_and_told_results_make_up_the_first_phase(known, moves):
    space = WideSpace()
    searcher = STRATEGIES["reinforce"](space, objectives=1, limits=0, seed=0, budget=60)
    before = np.array(searcher.policy.chances)
    genes = space.canonical(space.sample(known, np.random.default_rng(0)))
    searcher.warm_start(judge(genes, objectives=1, limits=0))
    assert np.array_equal(searcher.policy.chances, before), "too few for an update"
    searcher.tell(judge(searcher.ask(8), objectives=1, limits=0))
    assert moves == (not np.array_equal(searcher.policy.chances, before))
