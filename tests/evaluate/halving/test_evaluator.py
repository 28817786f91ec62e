"""Early stopping as an evaluator."""

from pathlib import Path

import numpy as np
import pytest

from edgenas.data import fit_preprocessing
from edgenas.evaluate import HalvingEvaluator, stratified_networks
from edgenas.evaluate.halving import HalvingSettings
from edgenas.train import TrainSettings
from tests.supernet.samples import blobs, tiny_space

SPACE = tiny_space()
DATA = blobs(per_class=12)
PREPROCESSING = fit_preprocessing(DATA.train)
QUICK = TrainSettings(epochs=2, batch_size=32, learning_rate=1e-2)
HALVING = HalvingSettings(min_epochs=1, max_epochs=2, reduction=2)
GENES = stratified_networks(SPACE, 4, np.random.default_rng(0))


def evaluator(folder: Path, *, workers: int | None = None) -> HalvingEvaluator:
    return HalvingEvaluator(SPACE, DATA, QUICK, PREPROCESSING, halving=HALVING, folder=folder, workers=workers)


@pytest.mark.parametrize("workers", [None, 2])
def test_halving_shows_only_full_trainings(tmp_path: Path, workers: int | None) -> None:
    judge = evaluator(tmp_path, workers=workers)
    found = judge.evaluate(GENES)
    assert judge.last is not None and judge.last.epochs < judge.last.full_epochs
    full = {curve.candidate for curve in judge.last.curves if not curve.partial}
    assert set(np.flatnonzero(np.isfinite(found.values))) == full and 1 <= len(full) < len(GENES)
    assert np.nanargmax(found.values) == judge.last.best


def test_a_second_set_of_networks_does_not_take_up_the_first_ones_trainings(tmp_path: Path) -> None:
    judge = evaluator(tmp_path)
    judge.evaluate(GENES)
    other = judge.evaluate(GENES[::-1][:3])
    alone = evaluator(tmp_path / "elsewhere").evaluate(GENES[::-1][:3])
    assert np.array_equal(other.values, alone.values, equal_nan=True)


def test_finished_pieces_are_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluator(tmp_path).evaluate(GENES)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a finished piece was trained again")

    monkeypatch.setattr("edgenas.evaluate.halving.candidates.fit", refuse)
    again = evaluator(tmp_path).evaluate(GENES)
    assert np.array_equal(first.values, again.values, equal_nan=True)
