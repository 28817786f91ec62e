"""A run gives the same result with any number of worker processes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from edgenas.config import load
from edgenas.errors import ConfigError
from edgenas.evaluate import driving
from edgenas.pipeline.commands.run import run_pipeline
from tests.pipeline.test_driving import CONFIGURATION, FEW, searched
from tests.pipeline.test_one_shot import quiet


def judged(found: dict) -> list[object]:
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in found["evaluations"]]


@pytest.mark.parametrize("estimator", ["trained", "halving"])
def test_one_worker_and_two_find_the_same_front(tmp_path: Path, estimator: str) -> None:
    more = (f"search.estimator={estimator}", "train.epochs=2", "search.strategy=nsga2")
    one = searched(tmp_path / "one", *more)
    two = searched(tmp_path / "two", *more, "workers.count=2")
    assert judged(one) == judged(two) and one["front"] == two["front"]


def test_a_network_whose_workers_die_is_a_failure_with_their_log_and_the_others_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, here = driving.TrainedEvaluator.train, os.getpid()
    wanted = searched(tmp_path / "calm", "search.estimator=trained")
    unlucky = wanted["evaluations"][1]["digest"]

    def dies(self, genes, *, seed):
        assert os.getpid() != here
        if self._space.decode(genes).digest == unlucky:
            print("the kernel took it", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return train(self, genes, seed=seed)

    monkeypatch.setattr(driving.TrainedEvaluator, "train", dies)
    found = searched(tmp_path / "dying", "search.estimator=trained", "workers.count=2")
    assert found["failures"] == 1 and "the kernel took it" in found["evaluations"][1]["failure"]
    assert [entry for place, entry in enumerate(judged(found)) if place != 1] == [
        entry for place, entry in enumerate(judged(wanted)) if place != 1
    ]


def test_another_number_of_workers_is_no_other_configuration(tmp_path: Path) -> None:
    searched(tmp_path, "search.estimator=trained")
    record = (tmp_path / "quickstart" / "stages.json").read_bytes()
    searched(tmp_path, "search.estimator=trained", "workers.count=2")
    assert (tmp_path / "quickstart" / "stages.json").read_bytes() == record
    assert not (tmp_path / "quickstart" / ".next").exists()


def test_more_workers_need_one_thread_each() -> None:
    with pytest.raises(ConfigError, match="threads: 1 with workers.count above 1"):
        load(CONFIGURATION, ["workers.count=2", "threads=2"])


@pytest.mark.slow
def test_finalists_of_one_worker_and_of_two_give_the_same_files(tmp_path: Path) -> None:
    for name, count in (("one", 1), ("two", 2)):
        overrides = [*FEW, "train.finalists=3", "train.epochs=3", "search.evaluations=24", "front.measure=4",
                     f"workers.count={count}", f"output={tmp_path / name}"]  # fmt: skip
        run_pipeline(load(CONFIGURATION, overrides), progress=quiet, say=lambda text: None)
    one, two = (tmp_path / name / "quickstart" for name in ("one", "two"))
    winner = json.loads((one / "winner.json").read_text())
    assert len(winner["finalists"]) >= 2
    for name in ("model.safetensors", "export/model.onnx"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert winner["finalists"] == json.loads((two / "winner.json").read_text())["finalists"]
