"""The judge of estimators, on trainings that are made up and on real ones."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.data import fit_preprocessing
from edgenas.errors import InputError, StoreError, TrainingError
from edgenas.evaluate import (
    Estimates,
    TrainedEvaluator,
    Training,
    shortened,
    stratified_networks,
    validate_estimators,
)
from edgenas.space import load, population_costs
from edgenas.train import TrainSettings
from edgenas.train.loop.budget import Budget
from edgenas.train.network import NetworkWork
from tests.supernet.samples import blobs, tiny_space

SPACE = load("tiny")
DATA = blobs(per_class=24)
PREPROCESSING = fit_preprocessing(DATA.train)
QUICK = TrainSettings(epochs=2, batch_size=32, learning_rate=1e-2)


def worth(genes: np.ndarray) -> float:
    """A made-up truth that has little to do with MACs: kernels and the width's parity."""
    names = SPACE.gene_names
    code = SPACE.canonical(np.asarray(genes)[None])[0]
    return 0.5 + 0.02 * sum(int(code[i]) for i, name in enumerate(names) if name.endswith("kernel"))


class MadeUp:
    """Stands for trainings: the truth with a little noise by seed."""

    def __init__(self, *, noise: float = 0.003, fail: int = -1) -> None:
        self.noise, self.fail, self.count = noise, fail, 0

    def train(self, genes: np.ndarray, *, seed: int) -> Training:
        self.count += 1
        if self.count == self.fail:
            raise TrainingError("the loss is not finite.")
        jitter = self.noise * np.random.default_rng((seed, *genes)).normal()
        return Training(
            digest="", seed=seed, validation_accuracy=worth(genes) + jitter, seconds=2.0, steps=1
        )


class Oracle:
    name, source, unit = "oracle", "inherited", "1"

    def evaluate(self, genes: np.ndarray, *, progress: object = None) -> Estimates:
        return Estimates(values=np.array([worth(row) for row in genes]) - 0.1, seconds=len(genes) * 0.5)


class Guess:
    name, source, unit = "guess", "proxy", ""

    def evaluate(self, genes: np.ndarray, *, progress: object = None) -> Estimates:
        return Estimates(values=np.random.default_rng(0).random(len(genes)))


class Broken:
    name, source, unit = "broken", "proxy", ""

    def evaluate(self, genes: np.ndarray, *, progress: object = None) -> Estimates:
        return Estimates(values=np.full(len(genes), np.nan))


def judged(**options: object) -> object:
    return validate_estimators(
        SPACE,
        [Oracle(), Guess(), Broken()],
        MadeUp(**options),
        networks=24,
        rng=np.random.default_rng(0),  # type: ignore[arg-type]
    )


def test_a_good_estimator_beats_macs_and_a_guess_is_said_not_to() -> None:
    found = judged()
    assert [e.name for e in found.estimators] == ["macs", "params", "oracle", "guess"]  # type: ignore[attr-defined]
    oracle, guess = found.estimator("oracle"), found.estimator("guess")  # type: ignore[attr-defined]
    assert oracle.agreement.spearman > 0.95 and oracle.over_macs.clear
    assert oracle.over_macs_within_bands.clear
    assert oracle.verdict == "beats MACs"
    assert oracle.beyond_macs.clear and not guess.beyond_macs.clear
    assert guess.verdict in ("does not beat MACs", "worse than MACs")
    assert oracle.gap_points == pytest.approx(-10, abs=0.5) and guess.gap_points is None
    assert oracle.seconds_per_network == pytest.approx(0.5)
    assert any("broken is not judged" in note for note in found.notes)  # type: ignore[attr-defined]


class OnlyWithinBands:
    """Knows the truth among networks of similar cost, and nothing of the cost itself."""

    name, source, unit = "insider", "proxy", ""

    def evaluate(self, genes: np.ndarray, *, progress: object = None) -> Estimates:
        macs = population_costs(SPACE).macs(genes)
        place = np.arange(len(genes)) * 3 // len(genes)
        assert (np.diff(macs) >= 0).all()
        return Estimates(values=np.array([worth(row) for row in genes]) - place)


def test_what_beats_macs_only_within_bands_is_said_to() -> None:
    rng = np.random.default_rng(0)
    found = validate_estimators(SPACE, [OnlyWithinBands()], MadeUp(), networks=24, rng=rng).estimator("insider")  # type: ignore[arg-type, list-item]
    assert found.over_macs_within_bands is not None and found.over_macs is not None
    assert found.over_macs_within_bands.clear and not found.over_macs.clear
    assert found.verdict == "beats MACs in bands"


def test_the_ceiling_says_how_far_seeds_agree() -> None:
    quiet, loud = judged(noise=0.001), judged(noise=0.05)
    assert quiet.ceiling > 0.95 > 0.75 > loud.ceiling  # type: ignore[attr-defined]
    assert loud.ceiling < loud.ceiling_of_mean <= 1  # type: ignore[attr-defined]


def test_a_network_whose_training_fails_is_left_out_and_named() -> None:
    found = judged(fail=7)
    assert len(found.genes) == 23  # type: ignore[attr-defined]
    assert "Network 3 is left out" in found.notes[0]  # type: ignore[attr-defined]


def test_what_was_found_is_plain_json() -> None:
    text = json.dumps(judged().to_dict(), allow_nan=False)  # type: ignore[attr-defined]
    assert json.loads(text)["estimators"][2]["name"] == "oracle"


def test_networks_are_spread_evenly_over_the_logarithm_of_cost() -> None:
    genes = stratified_networks(SPACE, 24, np.random.default_rng(0))
    logs = np.log(population_costs(SPACE).macs(genes).astype(float))
    assert len(np.unique(SPACE.canonical(genes), axis=0)) == 24
    assert (np.diff(logs) >= 0).all()
    assert np.diff(logs).max() < 4 * (logs[-1] - logs[0]) / 23
    assert np.array_equal(genes[0], SPACE.smallest()) and np.array_equal(genes[-1], SPACE.largest())


def test_a_set_of_networks_that_is_refined_contains_the_first_one() -> None:
    def drawn(count: int) -> set[tuple[int, ...]]:
        return {tuple(row) for row in stratified_networks(SPACE, count, np.random.default_rng(3)).tolist()}

    assert drawn(12) < drawn(23) < drawn(45)
    assert len(drawn(45)) == 45


def test_too_few_networks_are_refused() -> None:
    with pytest.raises(InputError, match="too few networks or seeds"):
        validate_estimators(SPACE, [], MadeUp(), networks=6, rng=np.random.default_rng(0))  # type: ignore[arg-type]
    small = tiny_space()
    with pytest.raises(InputError, match="has too few networks"):
        stratified_networks(small, 1000, np.random.default_rng(0))


def test_trainings_are_kept(tmp_path: Path) -> None:
    space = tiny_space()
    genes = space.sample(2, np.random.default_rng(0))
    trained = TrainedEvaluator(space, DATA, QUICK, PREPROCESSING, seeds=2, folder=tmp_path)
    first = trained.evaluate(genes)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 4 and first.standard_error is not None
    again = TrainedEvaluator(space, DATA, QUICK, PREPROCESSING, seeds=2, folder=tmp_path).evaluate(genes)
    assert np.array_equal(first.values, again.values)
    # What they took when they were run, not what reading them took.
    assert again.seconds == first.seconds > 0
    files[0].write_text("{")
    with pytest.raises(StoreError, match="broken"):
        trained.evaluate(genes)


def test_a_training_that_was_killed_goes_on_at_its_step_and_leaves_its_result_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, settings = tiny_space(), replace(QUICK, epochs=4, checkpoint_minutes=1e-9)
    whole = TrainedEvaluator(space, DATA, settings, PREPROCESSING).train(space.largest(), seed=0)
    trained = TrainedEvaluator(space, DATA, settings, PREPROCESSING, folder=tmp_path)
    steps: list[int] = []

    def count(work: NetworkWork, batch: object, budget: Budget) -> object:
        steps.append(budget.step)
        if len(steps) == 5:
            raise MemoryError
        return take(work, batch, budget)  # type: ignore[arg-type]

    take = NetworkWork.take_step
    monkeypatch.setattr(NetworkWork, "take_step", count)
    with pytest.raises(MemoryError):
        trained.train(space.largest(), seed=0)
    found = trained.train(space.largest(), seed=0)
    # It broke in its fifth step, and began that one again.
    assert steps == [0, 1, 2, 3, 4, *range(4, whole.steps)]
    assert replace(found, seconds=whole.seconds) == whole
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]


def test_a_short_training_has_a_share_of_every_budget_and_the_same_recipe() -> None:
    long = replace(QUICK, epochs=30, steps=640, seconds=90.0)
    short = shortened(long)
    assert (short.epochs, short.steps, short.seconds) == (3, 71, 10.0)
    assert replace(short, epochs=30, steps=640, seconds=90.0) == long
    assert shortened(QUICK).epochs == 1 and shortened(QUICK).steps is None
    with pytest.raises(InputError, match="impossible share"):
        shortened(long, 0.0)


def test_a_training_that_fails_is_an_outcome() -> None:
    space = tiny_space()
    hopeless = replace(QUICK, learning_rate=1e30)
    found = TrainedEvaluator(space, DATA, hopeless, PREPROCESSING).evaluate(space.largest()[None])
    assert np.isnan(found.values).all()
