"""Searches that trainings drive: values keep their source, finished ones are not repeated, a run reaches its end."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgenas.config import load
from edgenas.errors import TrainingError
from edgenas.evaluate import driving
from edgenas.pipeline.commands.run import run_pipeline, run_some
from tests.pipeline.test_one_shot import SMALL, STAGES, quiet

FEW = [*SMALL, "search.evaluations=4", "search.strategy=random", "train.epochs=1", "supernet.epochs=1"]
CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


def settings(folder: Path, *overrides: str):
    return load(CONFIGURATION, [*FEW, f"output={folder}", *overrides])


def searched(folder: Path, *overrides: str) -> dict:
    run = run_some(STAGES, settings(folder, *overrides), progress=quiet, say=lambda text: None)
    return json.loads((run / "search.json").read_text())


def test_a_run_that_trainings_drive_reaches_its_end_and_says_so(tmp_path):
    found = run_pipeline(settings(tmp_path, "search.estimator=trained"), progress=quiet, say=lambda text: None)
    search = json.loads((found.directory / "search.json").read_text())
    metrics = [entry["metrics"]["accuracy"] for entry in search["evaluations"]]
    assert search["estimator"] == "trained" and len(metrics) == 4
    assert {metric["source"] for metric in metrics} == {"trained"}
    assert all(0 <= metric["value"] <= 1 and 0 <= metric["standard_error"] < 0.5 for metric in metrics)
    page = (found.directory / "report.html").read_text()
    assert "accuracy (trained)" in page and "nherited accuracy:" not in page
    assert "by the estimator trained" in json.loads((found.directory / "winner.json").read_text())["reason"]


def test_a_short_training_gets_a_ninth_and_one_that_breaks_is_tried_again_when_asked(tmp_path, monkeypatch):
    seen: list[int | None] = []
    train = driving.TrainedEvaluator.train

    def sometimes(self, genes, *, seed):
        seen.append(self._settings.epochs)
        if len(seen) == 2:
            raise TrainingError("the loss is not finite")
        return train(self, genes, seed=seed)

    monkeypatch.setattr(driving.TrainedEvaluator, "train", sometimes)
    estimator = ("search.estimator=short_training", "train.epochs=18")
    found = searched(tmp_path, *estimator)
    assert seen == [2, 2, 2, 2]
    assert (found["judged"], found["failures"]) == (3, 1)
    assert found["failure_reasons"] == [{"reason": "the loss is not finite", "count": 1}]
    again = searched(tmp_path, *estimator, "search.retry_failures=true")
    assert len(seen) == 5 and (again["judged"], again["failures"]) == (4, 0)
    assert np.all([entry["metrics"]["accuracy"]["source"] == "trained" for entry in again["evaluations"]])


def test_an_unknown_estimator_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(Exception, match=r"search.estimator: .*got 'traind'.*did you mean 'trained'"):
        settings(tmp_path, "search.estimator=traind")
