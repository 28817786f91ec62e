"""Training a supernet: it learns, can be killed and taken up, and says what is wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgenas.errors import ConfigError, DataError, TrainingError, WeightsError
from edgenas.space import read
from edgenas.supernet import (
    SCHEMES,
    Supernet,
    SupernetEvaluator,
    SupernetSettings,
    load_supernet,
    save_supernet,
    train_supernet,
)
from edgenas.supernet.training.schemes import members_of_step
from edgenas.train import TrainSettings
from tests.supernet.samples import blobs, mixed_space, tiny_space

DATA = blobs()
TRAIN = TrainSettings(epochs=6, batch_size=32, learning_rate=1e-2)


def weights_of(net: Supernet) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in net.parameters()]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_members_of_a_trained_supernet_are_better_than_chance(scheme: str) -> None:
    net = Supernet(tiny_space())
    settings = SupernetSettings(scheme=scheme, train=replace(TRAIN, epochs=40))  # type: ignore[arg-type]
    result = train_supernet(net, DATA, settings)
    genes = np.stack([net.space.largest(), net.space.smallest()])
    accuracy = SupernetEvaluator(net, DATA, result.preprocessing).evaluate(genes).accuracy
    assert accuracy[0] > 0.6 and accuracy.mean() > 0.5
    assert result.steps == 40 * 5
    assert result.member_steps == result.steps * (4 if scheme == "sandwich" else 1)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    found = []
    for seed in (0, 0, 1):
        net = Supernet(tiny_space())
        train_supernet(net, DATA, SupernetSettings(train=replace(TRAIN, epochs=1, seed=seed)))
        found.append(weights_of(net))
    assert all(torch.equal(a, b) for a, b in zip(found[0], found[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(found[0], found[2], strict=True))


@pytest.mark.parametrize(("scheme", "teacher_weight"), [("cycle", 0.0), ("sandwich", 0.0), ("progressive", 0.5)])
def test_a_killed_training_is_taken_up_and_ends_with_the_same_weights(
    scheme: str, teacher_weight: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgenas.supernet.training.shared.CHECKPOINT_SECONDS", 0.0)
    train = replace(TRAIN, epochs=4, averaging_decay=0.9)
    settings = SupernetSettings(scheme=scheme, teacher_weight=teacher_weight, train=train)  # type: ignore[arg-type]
    whole = Supernet(tiny_space())
    expected = train_supernet(whole, DATA, settings)

    class Killed(Exception):
        pass

    def kill(record: object) -> None:
        if getattr(record, "epoch", 0) == 1:
            raise Killed

    with pytest.raises(Killed):
        train_supernet(Supernet(tiny_space()), DATA, settings, checkpoint_dir=tmp_path, on_epoch=kill)
    again = Supernet(tiny_space(), generator=torch.Generator().manual_seed(77))
    result = train_supernet(again, DATA, settings, checkpoint_dir=tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(weights_of(whole), weights_of(again), strict=True))
    assert [r.train_loss for r in result.history] == [r.train_loss for r in expected.history]


@pytest.mark.parametrize(("scheme", "teacher_weight"), [("sandwich", 0.0), ("progressive", 0.5)])
def test_a_training_killed_within_an_epoch_goes_on_at_its_step(
    scheme: str, teacher_weight: float, tmp_path: Path
) -> None:
    train = replace(TRAIN, epochs=4, averaging_decay=0.9, checkpoint_minutes=1e-9)
    settings = SupernetSettings(scheme=scheme, teacher_weight=teacher_weight, importance="l1", train=train)  # type: ignore[arg-type]
    whole, seen = Supernet(tiny_space()), []
    expected = train_supernet(whole, DATA, settings)

    class Killed(Exception):
        pass

    def kill(done: int, total: int, what: str) -> None:
        if done == 13:  # the third of five steps of epoch 2
            raise Killed

    with pytest.raises(Killed):
        train_supernet(Supernet(tiny_space()), DATA, settings, checkpoint_dir=tmp_path, progress=kill)
    again = Supernet(tiny_space(), generator=torch.Generator().manual_seed(77))
    result = train_supernet(
        again, DATA, settings, checkpoint_dir=tmp_path, progress=lambda done, *_: seen.append(done)
    )
    assert seen[0] == 13
    assert all(torch.equal(a, b) for a, b in zip(weights_of(whole), weights_of(again), strict=True))
    assert [r.train_loss for r in result.history] == [r.train_loss for r in expected.history]
    assert result.member_steps == expected.member_steps


def test_the_largest_member_teaches_only_after_the_warm_up_and_only_where_asked() -> None:
    def losses(weight: float) -> list[float]:
        train = replace(TRAIN, epochs=10)
        settings = SupernetSettings(scheme="progressive", teacher_weight=weight, train=train)
        return [record.train_loss for record in train_supernet(Supernet(tiny_space()), DATA, settings).history]

    alone, taught = losses(0.0), losses(0.5)
    assert alone[:2] == taught[:2] and all(a != b for a, b in zip(alone[2:], taught[2:], strict=True))
    with pytest.raises(ConfigError, match="trains the largest network first"):
        SupernetSettings(scheme="cycle", teacher_weight=0.5)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    settings = SupernetSettings(train=replace(TRAIN, epochs=1))
    train_supernet(Supernet(tiny_space()), DATA, settings, checkpoint_dir=tmp_path)
    with pytest.raises(WeightsError, match="seed 0 .now 5."):
        other = replace(settings, train=replace(settings.train, seed=5))
        train_supernet(Supernet(tiny_space()), DATA, other, checkpoint_dir=tmp_path)
    with pytest.raises(WeightsError, match="another training"):
        train_supernet(Supernet(mixed_space()), DATA, settings, checkpoint_dir=tmp_path)


def test_a_loss_that_is_not_finite_stops_the_training_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgenas.supernet.training.shared.CHECKPOINT_SECONDS", 0.0)
    net = Supernet(tiny_space())

    def break_weights(record: object) -> None:
        with torch.no_grad():
            net.shared_weights()["head.classifier.bias"].fill_(float("nan"))

    with pytest.raises(TrainingError, match=r"not finite at step 5 .epoch 1.") as error:
        train_supernet(net, DATA, SupernetSettings(train=TRAIN), checkpoint_dir=tmp_path, on_epoch=break_weights)
    # Progressive shrinking still trains the largest network alone at this step.
    assert f"member {net.space.largest().tolist()}" in str(error.value)
    good = Supernet(tiny_space())
    train_supernet(good, DATA, SupernetSettings(train=TRAIN), checkpoint_dir=tmp_path)
    assert all(torch.isfinite(parameter).all() for parameter in good.parameters())


@pytest.mark.parametrize(("fits", "ends"), [(16, False), (4, True)])
def test_when_memory_runs_out_the_batch_is_halved_once_and_that_is_said(
    fits: int, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Supernet.forward

    def limited(net: Supernet, x: torch.Tensor, genes: np.ndarray) -> torch.Tensor:
        if len(x) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(net, x, genes)

    monkeypatch.setattr(Supernet, "forward", limited)
    settings = SupernetSettings(train=TrainSettings(epochs=1, batch_size=32, workers=1))
    if ends:
        with pytest.raises(TrainingError, match="out of memory; got batch_size 32 in 2 parts"):
            train_supernet(Supernet(tiny_space()), DATA, settings)
    else:
        result = train_supernet(Supernet(tiny_space()), DATA, settings)
        assert result.notes == ("Memory ran out: batches are processed in 2 parts from here on.",)


def test_images_that_do_not_fit_the_space_are_refused() -> None:
    with pytest.raises(DataError, match="3 classes, 1 channels.*4 classes"):
        train_supernet(Supernet(tiny_space()), blobs(classes=3), SupernetSettings(train=TRAIN))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sandwich'"):
        SupernetSettings(scheme="sandwitch")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="dropout"):
        SupernetSettings(train=TrainSettings(dropout=0.2))
    with pytest.raises(ConfigError, match="distil_after"):
        SupernetSettings(distil_after=2.0)


def test_the_members_of_a_step_follow_the_scheme() -> None:
    space = mixed_space()

    def genes(scheme: str, step: int, share: float) -> list[tuple[int, ...]]:
        settings = SupernetSettings(scheme=scheme)  # type: ignore[arg-type]
        return [tuple(row) for row in members_of_step(space, settings, step=step, share=share).genes]

    largest, smallest = tuple(space.largest()), tuple(space.smallest())
    assert genes("cycle", 0, 0.5) == [largest] and genes("cycle", 2, 0.5) == [smallest]
    assert genes("cycle", 1, 0.5) != genes("cycle", 3, 0.5)
    assert genes("sandwich", 7, 0.5)[:2] == [largest, smallest] and len(genes("sandwich", 7, 0.5)) == 4
    assert genes("progressive", 3, 0.1) == [largest]
    early = np.array([genes("progressive", step, 0.25)[0] for step in range(50)])
    late = np.array([genes("progressive", step, 0.9)[0] for step in range(50)])
    names = [name.rpartition(".")[2] for name in space.gene_names]
    for gene, name in enumerate(names):
        varied = len(np.unique(early[:, gene])) > 1
        assert varied == (name in ("resolution", "kernel", "start_kernel", "kind", "squeeze_excite", "activation"))
        assert len(np.unique(late[:, gene])) > 1


def test_the_fair_scheme_takes_every_choice_equally_often_in_a_round() -> None:
    space = read(
        """
name: flat
resolution: 8
in_channels: 1
classes: 4
divisor: 4
stem: {channels: 4, stride: 2, activation: relu}
head: {conv: 8, activation: relu}
stages:
  - {out: [4, 8], kernel: [3, 5, 7], expansion: [1, 2, 3]}
"""
    )
    settings = SupernetSettings(scheme="fair")
    rounds = []
    for number in range(20):
        members = [members_of_step(space, settings, step=3 * number + i, share=0.5).genes for i in range(3)]
        genes = np.array([row for step in members for row in step])
        for gene, count in enumerate(space.cardinalities):
            taken = np.bincount(genes[:, gene], minlength=count)
            assert taken.max() - taken.min() <= 1 and taken.min() >= 3 // count
        rounds.append(genes)
    assert len({genes.tobytes() for genes in rounds}) > 15
    halves = np.concatenate(rounds)[:, list(space.cardinalities).index(2)]
    assert 20 < halves.sum() < 40


def test_distillation_starts_when_the_settings_say() -> None:
    settings = SupernetSettings(scheme="sandwich", distil_after=0.5)
    space = tiny_space()
    assert not members_of_step(space, settings, step=0, share=0.4).teacher
    assert members_of_step(space, settings, step=0, share=0.6).teacher


def test_judgements_are_remembered_and_equal_codes_are_judged_once() -> None:
    net = Supernet(tiny_space())
    evaluator = SupernetEvaluator(net, DATA, train_supernet(net, DATA, SupernetSettings(train=TRAIN)).preprocessing)
    genes = net.space.sample(50, np.random.default_rng(0))
    first = evaluator.evaluate(genes)
    judged = evaluator.judged
    assert judged == len(np.unique(net.space.canonical(genes), axis=0)) < 50
    assert np.array_equal(first.accuracy, evaluator.evaluate(genes).accuracy) and evaluator.judged == judged
    assert (first.standard_error > 0).all()


def test_judging_looks_at_validation_images_and_never_at_test_images() -> None:
    net = Supernet(tiny_space())
    preprocessing = train_supernet(net, DATA, SupernetSettings(train=TRAIN)).preprocessing
    genes = net.space.largest()[None]
    true = SupernetEvaluator(net, DATA, preprocessing).evaluate(genes).accuracy

    class Forbidden:
        def __getattr__(self, name: str) -> object:
            raise AssertionError("the test images were touched")

    blind = replace(DATA, test=Forbidden())  # type: ignore[arg-type]
    assert SupernetEvaluator(net, blind, preprocessing).evaluate(genes).accuracy == true
    shuffled = replace(DATA, validation=replace(DATA.validation, labels=(DATA.validation.labels + 1) % 4))  # type: ignore[type-var]
    assert SupernetEvaluator(net, shuffled, preprocessing).evaluate(genes).accuracy < 0.3


def test_a_judgement_equals_that_of_the_extracted_network() -> None:
    net = Supernet(tiny_space())
    preprocessing = train_supernet(net, DATA, SupernetSettings(train=TRAIN)).preprocessing
    evaluator = SupernetEvaluator(net, DATA, preprocessing)
    module = evaluator.member(net.space.largest()).module().eval()
    x = torch.from_numpy(preprocessing.apply(DATA.validation.read(np.arange(len(DATA.validation)))))
    with torch.no_grad():
        expected = (module(x).argmax(1).numpy() == DATA.validation.labels).mean()
    assert evaluator.evaluate(net.space.largest()[None]).accuracy[0] == pytest.approx(expected, abs=0.02)


def test_a_stored_supernet_comes_back_with_its_space_and_preprocessing(tmp_path: Path) -> None:
    net = Supernet(mixed_space())
    data = blobs(size=12)
    preprocessing = train_supernet(net, data, SupernetSettings(train=replace(TRAIN, epochs=1))).preprocessing
    path = tmp_path / "supernet.safetensors"
    save_supernet(path, net, preprocessing)
    loaded, stored = load_supernet(path, space=mixed_space())
    assert stored == preprocessing and loaded.space.digest == net.space.digest
    assert all(torch.equal(a, b) for a, b in zip(weights_of(net), weights_of(loaded), strict=True))
    with pytest.raises(WeightsError, match="another space"):
        load_supernet(path, space=tiny_space())
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(WeightsError, match="cannot read"):
        load_supernet(path)


@pytest.mark.parametrize("scheme", ["sandwich", "cycle"])
def test_half_precision_learns_too_and_keeps_weights_in_full_precision(scheme: str) -> None:
    net = Supernet(tiny_space())
    train = replace(TRAIN, epochs=25, precision="bf16", clip_norm=1.0, accumulation=2)
    settings = SupernetSettings(scheme=scheme, train=train)  # type: ignore[arg-type]
    result = train_supernet(net, DATA, settings)
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())
    found = SupernetEvaluator(net, DATA, result.preprocessing).evaluate([net.space.largest()])
    assert found.accuracy[0] > 0.6
    full = Supernet(tiny_space())
    train_supernet(full, DATA, replace(settings, train=replace(train, precision="fp32")))
    assert not all(torch.equal(a, b) for a, b in zip(weights_of(net), weights_of(full), strict=True))


def test_the_weight_of_a_teacher_is_part_of_what_a_sandwich_training_is(tmp_path: Path) -> None:
    settings = SupernetSettings(scheme="sandwich", train=replace(TRAIN, epochs=1))
    train_supernet(Supernet(tiny_space()), DATA, settings, checkpoint_dir=tmp_path)
    with pytest.raises(WeightsError, match=r"own.distillation_weight 1.0 \(now 0.5\)"):
        train_supernet(
            Supernet(tiny_space()), DATA, replace(settings, distillation_weight=0.5), checkpoint_dir=tmp_path
        )
