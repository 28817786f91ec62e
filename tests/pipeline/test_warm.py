import numpy as np
import pytest

from edgenas.errors import SearchError
from edgenas.pipeline.commands.transfer.warm_predictor import WarmPredictor, learning_curve
from edgenas.search.predictor import AccuracyPredictor, encode
from edgenas.space import load


@pytest.fixture(scope="module")
def known():
    space = load("tiny")
    inputs = encode(space, space.sample(60, np.random.default_rng(0)))
    weights = np.random.default_rng(1).standard_normal(inputs.choices.shape[1])
    accuracy = 0.6 + 0.02 * inputs.choices @ weights
    return inputs, accuracy, AccuracyPredictor.fit(inputs, accuracy)


def test_where_the_data_sets_agree_a_warm_start_orders_better_after_few_judgements(known) -> None:
    inputs, accuracy, source = known
    few, *_ = learning_curve(source, inputs, 0.5 * accuracy - 0.1, rng=np.random.default_rng(2))
    assert few.networks == 4
    assert few.warm > 0.85 > few.cold + 0.2


def test_where_they_do_not_the_slope_falls_and_little_is_lost(known) -> None:
    inputs, _, source = known
    other = np.random.default_rng(3).standard_normal(60)
    fitted = WarmPredictor.fit(source, inputs, other)
    agreeing = WarmPredictor.fit(source, inputs, known[1] / known[1].std())
    assert abs(fitted.slope) < 0.3 * agreeing.slope


def test_predictions_lie_between_their_ends_and_errors_are_those_of_the_rest(known) -> None:
    inputs, accuracy, source = known
    few = inputs.pick(np.arange(8))
    found = WarmPredictor.fit(source, few, accuracy[:8]).predict(inputs)
    assert np.all((found.low <= found.mean) & (found.mean <= found.high))
    assert np.corrcoef(found.mean, accuracy)[0, 1] > 0.95


def test_too_few_networks_are_refused(known) -> None:
    inputs, accuracy, source = known
    with pytest.raises(SearchError, match="cannot fit"):
        WarmPredictor.fit(source, inputs.pick(np.arange(3)), accuracy[:3])
