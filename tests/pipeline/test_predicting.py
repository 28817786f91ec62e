"""A run whose strategy walks over predicted candidates, and what its configuration refuses."""

import numpy as np
import pytest
from pydantic import ValidationError

from edgenas.config.sections.search import SearchSection
from edgenas.pipeline.search.candidate_judge import objectives_of
from edgenas.pipeline.search.cost_model import Costs
from edgenas.pipeline.search.predicted import translator
from edgenas.study import Evaluation, Limit, Metric, Study
from tests.pipeline.test_one_shot import search

UNITS = {"accuracy": "1", "latency_ms": "ms", "macs": "MAC", "params": "parameter"}


def costs_of(genes: np.ndarray) -> Costs:
    count = genes.sum(1)
    return Costs(latency_ms=0.1 * count, latency_error_ms=0.0 * count, macs=1000 * count, params=10 * count)


def test_predictions_are_translated_as_evaluations_are() -> None:
    names = ["macs", "accuracy", "latency_ms"]
    study = Study(objectives=objectives_of(names), limits=(Limit(metric="latency_ms", at_most=0.4),))
    genes, accuracy = np.array([[1, 2], [4, 1]]), np.array([0.7, 0.8])
    column, translate = translator(study, costs_of)  # type: ignore[arg-type]
    found = translate(genes, 1 - accuracy)
    evaluations = []
    for row, value in zip(genes, accuracy, strict=True):
        known = costs_of(row[None])
        values = {"accuracy": value, "latency_ms": known.latency_ms[0], "macs": known.macs[0]}
        metrics = tuple((name, Metric(value=float(v), unit=UNITS[name])) for name, v in values.items())
        evaluations.append(Evaluation(digest="", genes=tuple(row), metrics=metrics))
    wanted = study.results(genes, evaluations)
    assert column == 1
    for name in ("objectives", "violations", "margins"):
        assert np.allclose(getattr(found, name), getattr(wanted, name))


def test_a_run_judges_what_a_strategy_found_among_predicted_candidates(tmp_path) -> None:
    found = search(
        tmp_path, "search.strategy=nsga2", "search.estimator=predictor", "search.predictor_networks=12",
        "search.predictor_candidates=1800", "search.evaluations=40", "supernet.epochs=4",
    )  # fmt: skip
    assert len(found["evaluations"]) == 40
    assert {entry["metrics"]["accuracy"]["source"] for entry in found["evaluations"]} == {"inherited"}
    predictor = found["predictor"]
    assert [each["candidates"] for each in predictor["rounds"]] == [600] * 2
    assert predictor["checked"] >= 10 and 0 <= predictor["coverage_of_90"] <= 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strategy": "surrogate"}, "a strategy that asks for many candidates"),
        ({"strategy": "tunas"}, "a strategy that asks for many candidates"),
        ({"objectives": ["macs", "latency_ms"]}, "accuracy among the objectives"),
        ({"evaluations": 100}, "more evaluations than predictor_networks"),
    ],
)
def test_settings_that_make_no_sense_with_a_predictor_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SearchSection(estimator="predictor", **values)
