"""Strategies on predicted candidates: what is proposed, what is learned, and that no prediction is a result."""

import numpy as np
import pytest

from edgenas.errors import SearchError
from edgenas.evaluate import Estimates, GuidedSearcher, PredictorEvaluator
from edgenas.search import STRATEGIES, Results
from edgenas.space import load, population_costs
from tests.search.conformance import WarmStartConformance
from tests.search.spaces import judge

SPACE = load("tiny")
COSTS = population_costs(SPACE)


def error(genes: np.ndarray) -> np.ndarray:
    """A made-up error rate: wide and deep networks are better, kernels matter a little."""
    codes = SPACE.canonical(genes).astype(float)
    weights = np.linspace(0.2, 1.0, codes.shape[1])
    return 0.5 - 0.02 * codes @ weights / np.sqrt(codes.shape[1])


def translate(genes: np.ndarray, errors: np.ndarray) -> Results:
    macs = COSTS.macs(genes).astype(float)
    margins = (macs / 300_000 - 1)[:, None]
    return Results(
        genes=genes,
        objectives=np.column_stack([macs, errors]),
        violations=np.maximum(margins, 0),
        failed=np.zeros(len(genes), dtype=bool),
        margins=margins,
    )


def searcher(*, budget: int = 60, networks: int = 24, candidates: int = 3000, seed: int = 0) -> GuidedSearcher:
    return GuidedSearcher(
        SPACE,
        inner=lambda own, count: STRATEGIES["nsga2"](SPACE, objectives=2, limits=1, seed=own, budget=count),
        translate=translate,
        column=1,
        networks=networks,
        candidates=candidates,
        objectives=2,
        limits=1,
        seed=seed,
        budget=budget,
    )


def walk(one: GuidedSearcher, budget: int = 60) -> Results:
    parts = []
    while one.evaluated < budget:
        genes = one.ask(min(7, budget - one.evaluated))
        parts.append(translate(genes, error(genes)))
        one.tell(parts[-1])
    return Results(
        genes=np.concatenate([part.genes for part in parts]),
        objectives=np.concatenate([part.objectives for part in parts]),
        violations=np.concatenate([part.violations for part in parts]),
        failed=np.concatenate([part.failed for part in parts]),
    )


def test_what_is_proposed_after_the_first_networks_is_better_than_random() -> None:
    one = searcher()
    found = walk(one)
    assert len(np.unique(found.genes, axis=0)) == 60
    met = found.violations[:, 0] == 0
    assert met[28:].mean() > 0.9 > met[:24].mean()
    first, later = found.objectives[:24, 1][met[:24]], found.objectives[28:, 1][met[28:]]
    assert later.min() < first.min()
    assert [each.fitted_on >= 24 for each in one.rounds] == [True] * 3
    assert all(900 <= each.candidates <= 1000 for each in one.rounds)


def test_predictions_are_held_against_what_networks_turned_out_to_be() -> None:
    one = searcher()
    found = walk(one)
    predicted, low, high, judged = one.checked.T
    assert 25 < len(predicted) <= 36
    assert set(judged) <= set(found.objectives[:, 1])
    assert (low < predicted).all() and (predicted < high).all()
    assert np.abs(judged - predicted).mean() < 0.02


def test_the_same_seed_walks_alike() -> None:
    assert np.array_equal(walk(searcher(seed=4)).genes, walk(searcher(seed=4)).genes)
    assert not np.array_equal(walk(searcher(seed=4)).genes, walk(searcher(seed=5)).genes)


def test_failed_networks_are_left_out_of_the_fit() -> None:
    one = searcher(budget=40, networks=16)
    while one.evaluated < 40:
        genes = one.ask(8)
        results = translate(genes, error(genes))
        failed = np.arange(len(genes)) % 4 == 0
        objectives = np.where(failed[:, None], np.nan, results.objectives)
        one.tell(Results(genes=genes, objectives=objectives, violations=results.violations, failed=failed))
    assert one.rounds[0].fitted_on == 12


class Exact:
    name, source, unit = "exact", "inherited", "1"

    def __init__(self) -> None:
        self.judged = 0

    def evaluate(self, genes: np.ndarray, *, progress: object = None) -> Estimates:
        self.judged += len(genes)
        values = 1 - error(genes)
        values[0] = np.nan
        return Estimates(values=values, seconds=1.0, preparation_seconds=100.0)


def test_a_predictor_is_an_evaluator_with_errors_that_hold() -> None:
    exact = Exact()
    predictor = PredictorEvaluator.fit(exact, SPACE, networks=60, rng=np.random.default_rng(0))
    assert exact.judged == 60
    assert (predictor.name, predictor.source, predictor.unit) == ("predictor", "predicted", "1")
    genes = SPACE.sample(300, np.random.default_rng(1))
    found = predictor.evaluate(genes)
    assert found.standard_error is not None and found.preparation_seconds > 100
    off = np.abs(found.values - (1 - error(genes)))
    assert (off < 3 * found.standard_error).mean() > 0.9 and off.mean() < 0.01


def test_a_predictor_needs_networks() -> None:
    with pytest.raises(SearchError, match="cannot fit a predictor"):
        PredictorEvaluator.fit(Exact(), SPACE, networks=3, rng=np.random.default_rng(0))


class TestGuidedSearcherKeepsTheLaws(WarmStartConformance):
    def make(self, space, *, objectives, limits, seed, budget, known_margins=None):
        def translate(genes, predicted):
            found = judge(genes, objectives=objectives, limits=limits)
            found.objectives[:, 0] = predicted
            return found

        def inner(own, count):
            return STRATEGIES["nsga2"](
                space, objectives=objectives, limits=limits, seed=own, budget=count, known_margins=known_margins
            )

        return GuidedSearcher(
            space, inner=inner, translate=translate, column=0, networks=8, candidates=600, objectives=objectives,
            limits=limits, seed=seed, budget=budget, known_margins=known_margins,
        )  # fmt: skip
