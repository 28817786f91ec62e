"""`edgenas estimator validate`: what is stored, which images it looks at, and that it can be taken up."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.config import load
from edgenas.pipeline.commands.estimators import validate_run_estimators
from edgenas.pipeline.commands.run import run_some
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.open_run import open_run
from edgenas.pipeline.stages import DATA, SUPERNET
from tests.pipeline.test_one_shot import SMALL, quiet


class Unread:
    """A split that nobody may look at."""

    def __init__(self, shape: tuple[int, int, int], count: int) -> None:
        self.shape, self.labels = shape, np.zeros(count, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: np.ndarray) -> np.ndarray:
        raise AssertionError("the test images were looked at")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = load(
        Path(__file__).parents[2] / "configs" / "quickstart.yaml",
        [*SMALL, "train.epochs=1", "search.predictor_networks=8", f"output={tmp_path_factory.mktemp('runs')}"],
    )
    return run_some((DATA, SUPERNET), settings, progress=quiet, say=lambda text: None)


def test_estimators_are_judged_without_a_look_at_the_test_images(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = open_run(run, progress=quiet, say=lambda text: None)
    unread = Unread(artifacts.images(context).test.shape, len(artifacts.images(context).test))
    images = replace(artifacts.images(context), test=unread)
    monkeypatch.setattr(artifacts, "images", lambda _: images)
    found = validate_run_estimators(context, networks=9, seeds=1)
    assert found == json.loads((run / "estimators.json").read_text())
    assert sum(found["images"].values()) == len(artifacts.images(context).validation)
    names = [entry["name"] for entry in found["estimators"]]
    assert names[:5] == ["macs", "params", "supernet", "predictor", "short_training"] and "naswot" in names
    assert all(0 <= value[0] <= 1 for value in found["accuracy"]) and len(found["accuracy"]) == 9

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a finished training was repeated")

    monkeypatch.setattr("edgenas.evaluate.trained.train_architecture", refuse)
    again = validate_run_estimators(context, networks=9, seeds=1)
    assert again["accuracy"] == found["accuracy"]
