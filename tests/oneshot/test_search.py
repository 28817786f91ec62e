"""Learned distributions: their gradients, and that searches move towards their goals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgenas.data import ArraySplit, ImageData, fit_preprocessing
from edgenas.data.values import Split
from edgenas.errors import ConfigError, TrainingError, WeightsError
from edgenas.oneshot import DistributionSearcher, GeneDistribution, OneShotSettings, search_one_shot
from edgenas.oneshot.methods import OneShotMethod, Turn
from edgenas.oneshot.policy import PolicyLearner
from edgenas.space import population_costs
from edgenas.supernet import Supernet
from edgenas.train import TrainSettings
from tests.supernet.samples import blobs, mixed_space, tiny_space

SPACE = tiny_space()
DATA = blobs()


def cost(genes: np.ndarray) -> np.ndarray:
    return population_costs(SPACE).macs(genes).astype(np.float64)


def test_a_distribution_starts_uniform_and_draws_what_its_probabilities_say() -> None:
    distribution = GeneDistribution(mixed_space())
    assert distribution.entropy() == pytest.approx(1)
    with torch.no_grad():
        distribution.logits.normal_(generator=torch.Generator().manual_seed(0))
    genes = distribution.sample(20_000, np.random.default_rng(0))
    expected = distribution.probabilities()
    for gene, count in enumerate(mixed_space().cardinalities):
        shares = np.bincount(genes[:, gene], minlength=count) / len(genes)
        assert np.allclose(shares, expected[gene, :count], atol=0.02)
        assert expected[gene, count:].sum() == 0


def test_the_gradient_of_an_expectation_is_that_of_the_exact_sum() -> None:
    distribution = GeneDistribution(SPACE)
    every = np.stack(np.meshgrid(*[range(c) for c in SPACE.cardinalities], indexing="ij"), -1)
    genes = every.reshape(-1, len(SPACE.cardinalities))
    values = torch.from_numpy(cost(genes) / 1000).float()
    exact = (distribution.log_prob(genes).exp() * values).sum()
    (expected,) = torch.autograd.grad(exact, [distribution.logits])
    found_value = distribution.expectation(lambda g: cost(g) / 1000, 50_000, np.random.default_rng(0))
    (found,) = torch.autograd.grad(found_value, [distribution.logits])
    assert float(found_value.detach()) == pytest.approx(float(exact.detach()), rel=0.02)
    assert torch.allclose(found, expected, atol=0.03 * float(expected.abs().max()))


@pytest.mark.parametrize("method", ["tunas", "gumbel", "darts", "darts_second_order"])
def test_a_search_lands_on_its_target_and_is_repeatable(method: str) -> None:
    target = float(np.quantile(cost(SPACE.sample(500, np.random.default_rng(0))), 0.4))
    train = TrainSettings(epochs=None, steps=60, batch_size=32, learning_rate=1e-2)
    settings = OneShotSettings(method=method, target=target, cost_weight=0.5, train=train)  # type: ignore[arg-type]
    first, second = (search_one_shot(Supernet(SPACE), DATA, settings, cost) for _ in range(2))
    assert first.best_cost == pytest.approx(target, rel=0.05)
    assert np.array_equal(first.best, second.best)
    assert first.history[-1].entropy < 1
    assert [r.expected_cost for r in first.history] == [r.expected_cost for r in second.history]


@pytest.mark.parametrize("method", ["tunas", "gumbel", "darts"])
def test_a_distribution_learns_from_validation_images_alone(method: str) -> None:
    # Weights that do not move: training images could reach the distribution only if it were trained on them.
    train = TrainSettings(epochs=None, steps=20, batch_size=32, learning_rate=1e-12)
    settings = OneShotSettings(
        method=method, target=3000.0, cost_weight=0.0, warm_up_share=0.0, train=train  # type: ignore[arg-type]
    )
    preprocessing = fit_preprocessing(DATA.train)

    def learned(data: ImageData) -> torch.Tensor:
        result = search_one_shot(Supernet(SPACE), data, settings, cost, preprocessing=preprocessing)
        return result.distribution.logits.detach()

    def mislabelled(split: Split) -> ArraySplit:
        assert isinstance(split, ArraySplit)
        return replace(split, labels=(split.labels + 1) % 4)

    plain = learned(DATA)
    assert float(plain.abs().max()) > 0.1
    assert torch.allclose(plain, learned(replace(DATA, train=mislabelled(DATA.train))), atol=1e-3)
    other = learned(replace(DATA, validation=mislabelled(DATA.validation)))
    assert not torch.allclose(plain, other, atol=1e-1)


def test_the_expected_loss_has_the_gradient_of_the_exact_sum() -> None:
    learner = PolicyLearner(Supernet(SPACE), OneShotSettings(target=1.0), cost, torch.device("cpu"))
    every = np.stack(np.meshgrid(*[range(c) for c in SPACE.cardinalities], indexing="ij"), -1)
    genes = every.reshape(-1, len(SPACE.cardinalities))
    logits = learner.distribution.logits

    def losses(networks: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(cost(networks) / 1000).float()

    (expected,) = torch.autograd.grad((learner.distribution.log_prob(genes).exp() * losses(genes)).sum(), [logits])
    drawn = learner.distribution.sample(40_000, np.random.default_rng(0)).reshape(10_000, 4, -1)
    found = torch.zeros_like(expected)
    for four in drawn[:4000]:
        found += torch.autograd.grad(learner.expected(losses(four), four), [logits])[0] / 4000
    assert torch.allclose(found, expected, atol=0.08 * float(expected.abs().max()))


def test_the_distribution_learns_from_the_averaged_weights() -> None:
    train = TrainSettings(epochs=None, steps=12, batch_size=32, learning_rate=1e-2)
    found = []
    for decay in (None, 0.9):
        settings = OneShotSettings(method="darts", target=3000.0, train=replace(train, averaging_decay=decay))
        found.append(search_one_shot(Supernet(SPACE), DATA, settings, cost).distribution.logits)
    assert not torch.equal(*found)


def test_weights_are_trained_as_without_an_average_and_their_average_is_kept() -> None:
    train = TrainSettings(epochs=None, steps=4, batch_size=32, learning_rate=1e-2)
    settings = OneShotSettings(method="tunas", target=3000.0, warm_up_share=0.99, train=train)
    plain, averaged = Supernet(SPACE), Supernet(SPACE)
    mean, step = [p.detach().clone() for p in plain.parameters()], 0

    def average(*_: object) -> None:
        nonlocal mean, step
        decay, step = min(0.5, (1 + step) / (10 + step)), step + 1
        mean = [decay * old + (1 - decay) * new.detach() for old, new in zip(mean, plain.parameters(), strict=True)]

    search_one_shot(plain, DATA, settings, cost, progress=average)
    search_one_shot(averaged, DATA, replace(settings, train=replace(train, averaging_decay=0.5)), cost)
    assert step == 4
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mean, averaged.parameters(), strict=True))


def test_the_temperature_falls_by_equal_factors_from_the_end_of_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[Turn] = []

    def learn(learner: PolicyLearner, turn: Turn) -> None:
        turns.append(turn)
        learner.learn_by_reward(turn.held_out, turn.rng)

    monkeypatch.setattr("edgenas.oneshot.search.method_of", lambda name: OneShotMethod(learn=learn))
    train = TrainSettings(epochs=None, steps=20, batch_size=32, learning_rate=1e-2)
    settings = OneShotSettings(target=1e4, temperature=(8.0, 0.5), warm_up_share=0.2, train=train)
    search_one_shot(Supernet(SPACE), DATA, settings, cost)
    found = [turn.temperature for turn in turns]
    # Of 20 steps 4 are warm-up; 16 would lead from 8 to 0.5, of which the last is not reached.
    assert found == pytest.approx([8 * (0.5 / 8) ** (step / 16) for step in range(16)])


def test_an_unrolled_step_is_one_of_the_weights_so_an_average_is_refused() -> None:
    with pytest.raises(ConfigError, match="darts_second_order learns from the weights themselves"):
        OneShotSettings(method="darts_second_order", target=1.0, train=TrainSettings(averaging_decay=0.9))


@pytest.mark.parametrize("averaging", [None, 0.9])
@pytest.mark.parametrize("method", ["tunas", "gumbel", "darts"])
@pytest.mark.parametrize("minutes", [10.0, 1e-9], ids=["after an epoch", "within an epoch"])
def test_a_killed_search_is_taken_up_and_ends_with_the_same_distribution(
    method: str, averaging: float | None, minutes: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgenas.supernet.training.shared.CHECKPOINT_SECONDS", 0.0)
    train = TrainSettings(
        epochs=5, batch_size=32, learning_rate=1e-2, workers=1, averaging_decay=averaging, checkpoint_minutes=minutes
    )
    settings = OneShotSettings(method=method, target=3000.0, train=train)  # type: ignore[arg-type]
    whole = search_one_shot(Supernet(SPACE), DATA, settings, cost)

    class Killed(Exception):
        pass

    def kill(done: int, total: int, what: str) -> None:
        if done > 18:  # the fourth of five steps of epoch 3
            raise Killed

    with pytest.raises(Killed):
        search_one_shot(Supernet(SPACE), DATA, settings, cost, progress=kill, checkpoint_dir=tmp_path)
    seen: list[int] = []
    result = search_one_shot(
        Supernet(SPACE), DATA, settings, cost, checkpoint_dir=tmp_path, progress=lambda done, *_: seen.append(done)
    )
    assert seen[0] == (19 if minutes < 1 else 16)
    assert torch.equal(result.distribution.logits, whole.distribution.logits)
    assert result.history == whole.history and np.array_equal(result.best, whole.best)
    other = replace(settings, target=2000.0)
    with pytest.raises(WeightsError, match=r"another search.*target 3000.0 \(now 2000.0\)"):
        search_one_shot(Supernet(SPACE), DATA, other, cost, checkpoint_dir=tmp_path)


def test_a_loss_that_is_not_finite_ends_the_search_and_names_the_step() -> None:
    train = TrainSettings(epochs=2, batch_size=32, learning_rate=1e30)
    with pytest.raises(TrainingError, match="not finite at step"):
        search_one_shot(Supernet(SPACE), DATA, OneShotSettings(target=3000.0, train=train), cost)


def test_a_strong_penalty_leads_to_the_cheapest_network() -> None:
    train = TrainSettings(epochs=None, steps=80, batch_size=32, learning_rate=1e-2)
    settings = OneShotSettings(
        method="gumbel", cost_goal="penalty", target=1000.0, cost_weight=10.0, learning_rate=0.1, train=train
    )
    result = search_one_shot(Supernet(SPACE), DATA, settings, cost)
    assert result.best_cost < np.quantile(cost(SPACE.sample(500, np.random.default_rng(0))), 0.1)


def test_the_searcher_proposes_likely_networks_once_each_in_ask_and_tell() -> None:
    distribution = GeneDistribution(mixed_space())
    with torch.no_grad():
        distribution.logits[:, 0] = 4.0
    searcher = DistributionSearcher(distribution, objectives=1, limits=0, seed=0, budget=10)
    genes = searcher.ask(8)
    assert len(np.unique(genes, axis=0)) == 8
    assert np.array_equal(genes[0], mixed_space().canonical(distribution.best(np.random.default_rng(0))[None])[0])
    more = searcher.ask(1)
    assert len(np.unique(np.concatenate([genes, more]), axis=0)) == 8 + len(more)


def test_networks_near_the_target_are_proposed_first() -> None:
    target = float(np.median(cost(SPACE.sample(500, np.random.default_rng(0)))))
    searcher = DistributionSearcher(
        GeneDistribution(SPACE), objectives=1, limits=0, seed=0, budget=10, cost=cost, target=target
    )
    members = SPACE.canonical(SPACE.sample(2000, np.random.default_rng(0)))
    near = np.abs(cost(np.unique(members, axis=0)) / target - 1) <= 0.05
    assert 0 < near.sum() < len(near) / 2
    proposed = np.abs(cost(searcher.ask(int(near.sum()))) / target - 1)
    assert (proposed <= 0.05).all()


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tunas'"):
        OneShotSettings(method="tuna", target=1.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="target"):
        OneShotSettings(target=0.0)


@pytest.mark.parametrize("method", ["tunas", "gumbel", "darts_second_order"])
def test_half_precision_learns_too_and_keeps_weights_in_full_precision(method: str) -> None:
    train = TrainSettings(epochs=None, steps=40, batch_size=32, learning_rate=1e-2, precision="bf16", accumulation=2)
    settings = OneShotSettings(method=method, target=3000.0, train=train)  # type: ignore[arg-type]
    net = Supernet(SPACE)
    found = search_one_shot(net, DATA, settings, cost)
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())
    assert torch.isfinite(found.distribution.logits).all() and found.history[-1].entropy < 1


def test_when_memory_runs_out_a_search_goes_on_in_parts_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Supernet.forward

    def limited(net: Supernet, x: torch.Tensor, genes: np.ndarray) -> torch.Tensor:
        if torch.is_grad_enabled() and len(x) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(net, x, genes)

    monkeypatch.setattr(Supernet, "forward", limited)
    train = TrainSettings(epochs=None, steps=6, batch_size=32, learning_rate=1e-2)
    found = search_one_shot(Supernet(SPACE), DATA, OneShotSettings(target=3000.0, train=train), cost)
    assert found.steps == 6
    assert found.notes == ("Memory ran out: batches are processed in 2 parts from here on.",)


def test_the_distributions_own_learning_rate_is_part_of_what_a_search_is(tmp_path: Path) -> None:
    train = TrainSettings(epochs=1, batch_size=32, learning_rate=1e-2)
    settings = OneShotSettings(target=3000.0, train=train)
    search_one_shot(Supernet(SPACE), DATA, settings, cost, checkpoint_dir=tmp_path)
    with pytest.raises(WeightsError, match="own.learning_rate"):
        search_one_shot(Supernet(SPACE), DATA, replace(settings, learning_rate=0.1), cost, checkpoint_dir=tmp_path)


def test_the_cost_weighs_as_the_method_needs_unless_a_weight_is_given() -> None:
    assert OneShotSettings(method="tunas", target=1.0).weight_of_cost == 0.1
    assert OneShotSettings(method="gumbel", target=1.0).weight_of_cost == 0.3
    assert OneShotSettings(method="gumbel", target=1.0, cost_weight=0.0).weight_of_cost == 0.0
