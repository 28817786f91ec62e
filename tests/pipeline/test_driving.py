"""Searches that trainings drive: values keep their source, finished ones are not repeated, a run reaches its end."""

import json
from pathlib import Path

import numpy as np
import pytest

import edgenas as en
from edgenas.config import load
from edgenas.errors import ConfigError, InputError, TrainingError
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
    with pytest.raises(Exception, match=r"search.estimator: .*did you mean 'trained'.*got 'traind'"):
        settings(tmp_path, "search.estimator=traind")


def finished(folder: Path, *overrides: str):
    found = run_pipeline(settings(folder, *overrides), progress=quiet, say=lambda text: None)
    return found.directory, {
        name: json.loads((found.directory / f"{name}.json").read_text()) for name in ("search", "front", "winner")
    }


def test_a_score_drives_a_run_without_a_supernet_and_is_called_an_accuracy_nowhere(tmp_path):
    run, found = finished(tmp_path, "search.estimator=naswot", "target.budget_share=0.9")
    metrics = [entry["metrics"]["accuracy"] for entry in found["search"]["evaluations"] if "metrics" in entry]
    assert metrics and {(metric["source"], metric["unit"]) for metric in metrics} == {("score", "")}
    assert max(metric["value"] for metric in metrics) > 1
    networks = found["front"]["networks"]
    assert {(entry["accuracy_source"], entry["accuracy_unit"]) for entry in networks} == {("score", "")}
    winner = found["winner"]
    assert "inherited_accuracy" not in winner and winner["estimated"]["source"] == "score"
    assert "highest score by the estimator naswot" in winner["reason"] and " %" not in winner["reason"].split(")")[0]
    assert winner["neighbours"] and {entry["accuracy_change"] for entry in winner["neighbours"]} == {None}
    assert not winner["training"]["from_supernet"] and not (run / "supernet").exists()
    page = (run / "report.html").read_text()
    assert "score (naswot)" in page and "nothing in this run needed shared weights" in page
    assert "nherited" not in page
    assert "supernet" not in json.loads((run / "summary.json").read_text())["stage_seconds"]


def test_a_run_without_shared_weights_refuses_what_needs_them(tmp_path):
    run, _ = finished(tmp_path, "search.estimator=naswot")
    for use in (
        lambda: en.specialise(run, folder=tmp_path / "there", budget_share=0.9),
        lambda: en.inherited_accuracy(run),
        lambda: en.validate_estimators(run),
    ):
        with pytest.raises(InputError, match="no shared weights.*search.estimator: naswot.*train.from_supernet: true"):
            use()


def test_halving_trains_few_in_full_and_shows_only_those(tmp_path):
    run, found = finished(
        tmp_path, "search.estimator=halving", "train.epochs=9", "search.evaluations=12", "search.baseline=false"
    )
    entries = found["search"]["evaluations"]
    assert sorted(round(9 * entry["fidelity"]) for entry in entries[:9]) == [1] * 6 + [3] * 2 + [9]
    assert all(entries[index]["fidelity"] == 1 for index in found["search"]["front"])
    assert found["winner"]["estimated"]["source"] == "trained" and "inherited_accuracy" not in found["winner"]
    assert not (run / "search-estimator").exists()


def test_a_supernet_for_the_start_of_the_winner_alone_is_trained_when_asked(tmp_path):
    run, found = finished(tmp_path, "search.estimator=naswot", "train.from_supernet=true")
    assert (run / "supernet" / "supernet.safetensors").is_file() and found["winner"]["training"]["from_supernet"]
    assert found["winner"]["neighbours"][0]["accuracy_change"] is not None
    assert "supernet" not in found["search"]


def test_inherited_accuracies_keep_their_old_name(tmp_path):
    _, found = finished(tmp_path)
    assert found["winner"]["inherited_accuracy"] == found["winner"]["estimated"]["value"]
    assert found["winner"]["estimated"]["source"] == "inherited"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("search.estimator=naswot", "search.strategy=ppo", "search.reward=mnasnet_soft"), "no reward with the"),
        (("search.estimator=halving", "train.seconds=3"), "no train.seconds with the estimator halving"),
    ],
)
def test_what_an_estimator_cannot_obey_is_refused_at_once(tmp_path, overrides, says):
    with pytest.raises(ConfigError, match=says):
        settings(tmp_path, *overrides)


def test_a_key_that_was_left_out_follows_the_estimator(tmp_path):
    assert settings(tmp_path).train.from_supernet is True
    scored = settings(tmp_path, "search.estimator=zico")
    assert scored.train.from_supernet is False
    assert en.load_config(scored, ["search.estimator=supernet"]).train.from_supernet is True
    assert settings(tmp_path, "search.estimator=zico", "search.strategy=tunas").train.from_supernet is True


def test_the_names_of_scores_are_those_of_the_registry():
    from edgenas.evaluate import SCORES
    from edgenas.evaluate.registry import ESTIMATORS

    assert set(SCORES) == {name for name in ESTIMATORS if ESTIMATORS[name].source == "score"}
