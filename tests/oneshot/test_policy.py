"""How a distribution learns, by hand: advantages, cost terms, and the gradient after one step of the weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from edgenas.data.batches import Batch
from edgenas.oneshot import OneShotSettings
from edgenas.oneshot.policy import PolicyLearner
from tests.supernet.samples import tiny_space

SPACE = tiny_space()
GENES = len(SPACE.cardinalities)


class Toy(nn.Module):
    """Two classes; a network's choices and weights decide how strongly an image speaks for the second."""

    def __init__(self) -> None:
        super().__init__()
        self.space = SPACE
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(GENES, generator=generator))
        self.unused = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor, row: np.ndarray) -> torch.Tensor:
        score = torch.sin(self.weight * (1.0 + torch.from_numpy(row))).sum() * images
        return torch.stack([torch.zeros_like(score), score], 1)


def total(genes: np.ndarray) -> np.ndarray:
    return 1.0 + genes.sum(axis=1)


def batch(seed: int, n: int = 8) -> Batch:
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.normal(size=n)).float()
    return Batch(images=images, labels=torch.from_numpy(rng.integers(0, 2, size=n)))


def learner(*, still: bool = True, **options: object) -> PolicyLearner:
    """A learner that is not uniform; a still one keeps its gradients and takes no step."""
    settings = OneShotSettings(**({"target": 2.0} | options))  # type: ignore[arg-type]
    found = PolicyLearner(Toy(), settings, total, torch.device("cpu"))  # type: ignore[arg-type]
    with torch.no_grad():
        found.distribution.logits.normal_(generator=torch.Generator().manual_seed(1))
    if still:
        found._step = lambda rng: None  # type: ignore[method-assign]
    return found


def log_gradient(found: PolicyLearner, genes: np.ndarray) -> torch.Tensor:
    return torch.autograd.grad(found.distribution.log_prob(genes).sum(), [found.distribution.logits])[0]


def test_a_reward_is_counted_from_the_moving_average_of_those_before() -> None:
    found, images = learner(), batch(2)
    genes = found.distribution.sample(1, np.random.default_rng(3))
    right = (Toy()(images.images, genes[0]).argmax(1) == images.labels).float().mean().item()
    found.load_facts({"accuracy": None, "baseline": 0.125})
    found.learn_by_reward(images, np.random.default_rng(3))
    wanted = -(right - 0.125) * log_gradient(found, genes)
    assert 0 < right < 1 and torch.allclose(found.distribution.logits.grad, wanted, atol=1e-6)
    assert found.accuracy == pytest.approx(right)
    assert found.facts["baseline"] == pytest.approx(0.95 * 0.125 + 0.05 * right)


def test_the_first_reward_is_its_own_baseline() -> None:
    found = learner()
    assert math.isnan(found.accuracy) and found.facts == {"accuracy": None, "baseline": None}
    found.learn_by_reward(batch(2), np.random.default_rng(3))
    assert not found.distribution.logits.grad.any()
    assert found.facts["baseline"] == pytest.approx(found.accuracy)


@pytest.mark.parametrize("goal", ["target", "penalty"])
def test_the_cost_term_is_the_weighted_mean_over_draws(goal: str) -> None:
    found = learner(cost_goal=goal, cost_weight=0.3, cost_draws=32)
    costs = total(found.distribution.sample(32, np.random.default_rng(4))) / 2.0
    wanted = 0.3 * (np.abs(costs - 1) if goal == "target" else costs).mean()
    assert float(found._cost_term(np.random.default_rng(4)).detach()) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("method", "first"), [("tunas", 0.0), ("darts", 0.5), ("gumbel", 0.5)])
def test_a_step_goes_down_the_gradient_by_adam_and_forgets_it(method: str, first: float) -> None:
    found = learner(still=False, method=method, cost_weight=0.0, learning_rate=0.05)
    assert found._adam.param_groups[0]["betas"] == (first, 0.999)
    logits = found.distribution.logits
    before = logits.detach().clone()
    logits.grad = torch.ones_like(logits)
    found._step(np.random.default_rng(5))
    assert torch.allclose(logits.detach(), before - 0.05, atol=1e-4)
    assert logits.grad is None or not logits.grad.any()


def test_the_gradient_of_an_expected_loss_is_that_of_centred_losses() -> None:
    found, images = learner(paths=4), batch(6)
    found.learn_by_expectation(images, rng=np.random.default_rng(7))
    genes = found.distribution.sample(4, np.random.default_rng(7))
    outputs = [Toy()(images.images, row).detach() for row in genes]
    losses = torch.stack([functional.cross_entropy(output, images.labels) for output in outputs])
    others = torch.stack([losses[[j for j in range(4) if j != i]].mean() for i in range(4)])
    score = ((losses - others) * found.distribution.log_prob(genes)).mean()
    (wanted,) = torch.autograd.grad(score, [found.distribution.logits])
    assert torch.allclose(found.distribution.logits.grad, wanted, atol=1e-6)
    right = torch.cat([output.argmax(1) == images.labels for output in outputs]).float().mean()
    assert found.accuracy == pytest.approx(float(right))
    assert float(found.expected(losses, genes).detach()) == pytest.approx(float(losses.mean()))


def test_the_gradient_after_a_step_of_the_weights_is_that_of_exact_differentiation() -> None:
    found, validation, training, rate = learner(paths=4), batch(8), batch(9), 0.5
    found.learn_by_expectation(validation, rng=np.random.default_rng(10), unrolled=(training, rate))
    genes = found.distribution.sample(4, np.random.default_rng(10))
    toy, logits = Toy(), found.distribution.logits
    start = toy.weight.detach().clone()

    def losses(images: Batch) -> torch.Tensor:
        return torch.stack([functional.cross_entropy(toy(images.images, row), images.labels) for row in genes])

    def score(values: torch.Tensor) -> torch.Tensor:
        centred = (values - values.mean()) * 4 / 3
        return (centred * found.distribution.log_prob(genes)).mean()

    # At no step the score's own value is 0 in the weights, so one goes down the mean loss alone.
    (inner,) = torch.autograd.grad(found.expected(losses(training), genes), [toy.weight])
    with torch.no_grad():
        toy.weight.copy_(start - rate * inner)
    (first,) = torch.autograd.grad(score(losses(validation).detach()), [logits])
    (outer,) = torch.autograd.grad(losses(validation).mean(), [toy.weight])
    accuracy = torch.cat([toy(validation.images, row).argmax(1) == validation.labels for row in genes]).float().mean()
    with torch.no_grad():
        toy.weight.copy_(start)
    (mixed,) = torch.autograd.grad(score(losses(training)), [toy.weight], create_graph=True)
    (second,) = torch.autograd.grad((mixed * outer).sum(), [logits])
    gradient = found.distribution.logits.grad
    assert float(second.abs().max()) * rate > 0.02 * float(first.abs().max())
    assert torch.allclose(gradient, first - rate * second, atol=2e-3 * float(first.abs().max()))
    assert torch.equal(found._supernet.weight, start) and found._supernet.unused.item() == 1.0
    assert found.accuracy == pytest.approx(float(accuracy))


def test_what_a_checkpoint_holds_brings_a_learner_back() -> None:
    first, second = learner(still=False), learner(still=False)
    for seed in range(3):
        first.learn_by_reward(batch(seed), np.random.default_rng(seed))
    second.load_tensors({name: value.clone() for name, value in first.tensors().items()})
    second.load_facts(first.facts)
    assert second.accuracy == first.accuracy and first.facts["accuracy"] is not None
    for each in (first, second):
        each.learn_by_reward(batch(4), np.random.default_rng(4))
    assert torch.equal(first.distribution.logits, second.distribution.logits) and first.facts == second.facts
