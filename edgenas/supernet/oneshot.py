"""Learning a distribution over networks together with the shared weights: gradient search and one-shot RL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgenas.data import ImageData, Preprocessing, fit_preprocessing
from edgenas.data.batches import Batch, Batches
from edgenas.errors import TrainingError, explain
from edgenas.supernet.distribution import CostFunction, Floats, GeneDistribution, Genes
from edgenas.supernet.oneshot_settings import OneShotSettings
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training import largest_resolution, require_fitting_data
from edgenas.train.losses import batch_loss
from edgenas.train.optimizer import make_optimizer, set_learning_rate
from edgenas.train.schedule import learning_rate, spent_share, total_steps

LOG_EVERY = 10
_STREAM = 2**31 + 2
_FINITE_DIFFERENCE = 0.01
"""Of the Hessian-vector product, over the gradient's norm (Liu 2019, section 2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShotRecord:
    """The distribution at one step.

    Attributes:
        step: Optimiser steps so far.
        accuracy: Of the batch that the distribution learned from; NaN in the warm-up.
        expected_cost: Mean cost of draws.
        entropy: Mean of the genes, 1 for uniform, 0 for decided.
        probabilities: Of every choice of every gene.
    """

    step: int
    accuracy: float
    expected_cost: float
    entropy: float
    probabilities: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OneShotResult:
    """A finished search; shared weights are in the supernet.

    Attributes:
        distribution: Over the networks of the space.
        best: The likeliest network (D,) at the target where one is to be hit, else the likeliest.
        best_cost: Its cost.
        history: The distribution over time.
        steps: Optimiser steps of the weights.
        seconds: Wall-clock time.
        preprocessing: Of the images, at the largest resolution of the space.
    """

    distribution: GeneDistribution
    best: Genes
    best_cost: float
    history: tuple[OneShotRecord, ...]
    steps: int
    seconds: float
    preprocessing: Preprocessing


def search_one_shot(
    supernet: Supernet,
    data: ImageData,
    settings: OneShotSettings,
    cost: CostFunction,
    *,
    preprocessing: Preprocessing | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    device: torch.device | str = "cpu",
) -> OneShotResult:
    """Train a supernet and learn which of its networks are worth most at a cost.

    Args:
        supernet: Changed in place and moved to `device`.
        data: Training images for weights, validation images for the distribution (but for "gumbel").
        settings: The recipe.
        cost: Of networks (N, D), in the unit of `settings.target`.
        preprocessing: Normalisation of the images; None takes the statistics of the training images.
        progress: Called after every step with (done, all, what); thousandths where a clock limits.
        device: Where to train.

    Raises:
        DataError: Classes or channels of the images are not those of the space.
        TrainingError: A loss is not finite.
    """
    require_fitting_data(supernet, data)
    target = torch.device(device)
    supernet.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    prepared = replace(preprocessing or fit_preprocessing(data.train), resolution=largest_resolution(supernet))
    return _OneShot(supernet, data, settings, cost, prepared, target).run(progress)


class _OneShot:
    """The state of a search."""

    def __init__(
        self,
        supernet: Supernet,
        data: ImageData,
        settings: OneShotSettings,
        cost: CostFunction,
        preprocessing: Preprocessing,
        device: torch.device,
    ) -> None:
        self._supernet, self._data, self._settings, self._cost = supernet, data, settings, cost
        self._preprocessing = preprocessing
        train = settings.train
        self._optimizer = make_optimizer(supernet, train)
        self._distribution = GeneDistribution(supernet.space).to(device)
        betas = (0.0, 0.999) if settings.method == "tunas" else (0.5, 0.999)
        self._adam = torch.optim.Adam(self._distribution.parameters(), lr=settings.learning_rate, betas=betas)
        self._training, self._validation = (
            Batches(split, preprocessing, batch_size=train.batch_size, device=device)
            for split in (data.train, data.validation)
        )
        self._total = total_steps(train, self._training.steps)
        self._rng = np.random.default_rng((train.seed, _STREAM))
        self._noise = torch.Generator().manual_seed(train.seed)
        self._baseline: float | None = None
        self._accuracy = float("nan")
        self._history: list[OneShotRecord] = []

    def run(self, progress: Callable[[int, int, str], None] | None) -> OneShotResult:
        """Search until the budget is spent."""
        started, step, train = time.perf_counter(), 0, self._settings.train
        training = self._endless(self._training, augmented=True)
        validation = self._endless(self._validation, augmented=False)
        while (share := spent_share(train, step, self._total, time.perf_counter() - started)) < 1:
            set_learning_rate(self._optimizer, learning_rate(train, share))
            self._step(next(training), validation, share)
            step += 1
            if step % LOG_EVERY == 0:
                self._record(step)
            if progress is not None:
                progress(min(1000, round(share * 1000)), 1000, f"searching with {self._settings.method}")
        rng = np.random.default_rng((train.seed, _STREAM, 1))
        goal = self._settings.target if self._settings.cost_goal == "target" else None
        best = self._supernet.space.canonical(self._distribution.best(rng, cost=self._cost, target=goal)[None])[0]
        return OneShotResult(
            distribution=self._distribution,
            best=best,
            best_cost=float(self._cost(best[None])[0]),
            history=tuple(self._history),
            steps=step,
            seconds=time.perf_counter() - started,
            preprocessing=self._preprocessing,
        )

    def _step(self, batch: Batch, validation: Iterator[Batch], share: float) -> None:
        settings = self._settings
        if share < settings.warm_up_share:
            self._train_weights(batch, self._warm_up_member(share / settings.warm_up_share))
            return
        learned = (share - settings.warm_up_share) / (1 - settings.warm_up_share)
        if settings.method == "tunas":
            self._learn_by_reward(next(validation))
            self._train_weights(batch, self._distribution.sample(1, self._rng)[0])
            return
        first, last = settings.temperature
        temperature = first * (last / first) ** learned
        if settings.method == "gumbel":
            self._learn_by_gradient(batch, None, temperature, self._draw_noise())
        else:
            unrolled = batch if settings.method == "darts_second_order" else None
            self._learn_by_gradient(next(validation), unrolled, temperature, self._draw_noise())
        self._train_weights(batch, self._distribution.gumbel_path(self._draw_noise(), temperature)[0])

    def _warm_up_member(self, done: float) -> Genes:
        if self._settings.filter_warm_up and self._rng.random() > done:
            return self._supernet.space.largest()
        return self._supernet.space.sample(1, self._rng)[0]

    def _train_weights(self, batch: Batch, genes: Genes) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        loss = batch_loss(self._supernet(batch.images, genes), batch, self._settings.train, None)
        if not torch.isfinite(loss):
            remedy = "Lower the learning rate or set clip_norm."
            raise TrainingError(explain("the loss of the supernet is not finite", got=genes.tolist(), remedy=remedy))
        loss.backward()
        if self._settings.train.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._supernet.parameters(), self._settings.train.clip_norm)
        self._optimizer.step()

    def _learn_by_reward(self, batch: Batch) -> None:
        """REINFORCE (Bender 2020, section 3): accuracy of one network, and the expected cost term in closed form."""
        genes = self._distribution.sample(1, self._rng)
        with torch.no_grad():
            logits = self._supernet(batch.images, genes[0])
        self._accuracy = float((logits.argmax(1) == batch.labels).float().mean())
        if self._baseline is None:
            self._baseline = self._accuracy
        advantage = self._accuracy - self._baseline
        decay = self._settings.baseline_decay
        self._baseline = decay * self._baseline + (1 - decay) * self._accuracy
        self._adam.zero_grad()
        (self._cost_term() - advantage * self._distribution.log_prob(genes)[0]).backward()
        self._adam.step()

    def _learn_by_gradient(self, batch: Batch, unrolled: Batch | None, temperature: float, noise: Tensor) -> None:
        """One step of the distribution down the gradient of the loss through one path (and one step of weights)."""
        logits = self._distribution.logits
        parameters = list(self._supernet.parameters())

        def loss_of(images: Batch) -> tuple[Tensor, Tensor]:
            genes, gates = self._distribution.gumbel_path(noise, temperature)
            output = self._supernet(images.images, genes, gates=gates)
            return functional.cross_entropy(output, images.labels), output

        if unrolled is None:
            loss, output = loss_of(batch)
            (gradient,) = torch.autograd.grad(loss, [logits])
        else:
            gradient, output = self._unrolled_gradient(loss_of, batch, unrolled, parameters)
        self._accuracy = float((output.argmax(1) == batch.labels).float().mean())
        self._adam.zero_grad()
        self._cost_term().backward()
        assert logits.grad is not None
        logits.grad += gradient
        self._adam.step()

    def _unrolled_gradient(
        self,
        loss_of: Callable[[Batch], tuple[Tensor, Tensor]],
        batch: Batch,
        training: Batch,
        parameters: list[torch.nn.Parameter],
    ) -> tuple[Tensor, Tensor]:
        """Gradient after one unrolled step of the weights, second term by finite differences (Liu 2019, eq. 7, 8)."""
        logits, rate = self._distribution.logits, self._optimizer.param_groups[0]["lr"]
        saved = [parameter.detach().clone() for parameter in parameters]
        inner = torch.autograd.grad(loss_of(training)[0], parameters, allow_unused=True)
        _shift(parameters, saved, inner, -rate)
        loss, output = loss_of(batch)
        first, *outer = torch.autograd.grad(loss, [logits, *parameters], allow_unused=True)
        norm = torch.sqrt(sum((g.square().sum() for g in outer if g is not None), torch.zeros(())))
        epsilon = _FINITE_DIFFERENCE / max(float(norm), 1e-12)
        sides = []
        for sign in (1.0, -1.0):
            _shift(parameters, saved, outer, sign * epsilon)
            sides.append(torch.autograd.grad(loss_of(training)[0], [logits])[0])
        _shift(parameters, saved, outer, 0.0)
        return first - rate * (sides[0] - sides[1]) / (2 * epsilon), output

    def _cost_term(self) -> Tensor:
        """What the expected cost adds to the loss of the distribution."""
        settings = self._settings

        def relative(genes: Genes) -> Floats:
            found = self._cost(genes) / settings.target
            return np.abs(found - 1) if settings.cost_goal == "target" else found

        return settings.cost_weight * self._distribution.expectation(relative, settings.cost_draws, self._rng)

    def _draw_noise(self) -> Tensor:
        logits = self._distribution.logits
        uniform = torch.rand(logits.shape, generator=self._noise).clamp(1e-9, 1 - 1e-7)
        return (-torch.log(-torch.log(uniform))).to(logits.device)

    def _endless(self, batches: Batches, *, augmented: bool) -> Iterator[Batch]:
        train, epoch = self._settings.train, 0
        while True:
            classes = len(self._data.classes)
            if augmented:
                yield from batches.shuffled(seed=train.seed, epoch=epoch, classes=classes, augment=train.augment)
            else:
                yield from batches.shuffled(seed=train.seed + 1, epoch=epoch, classes=classes)
            epoch += 1

    def _record(self, step: int) -> None:
        probabilities = self._distribution.probabilities()
        counts = self._supernet.space.cardinalities
        draws = self._distribution.sample(self._settings.cost_draws, np.random.default_rng(step))
        self._history.append(
            OneShotRecord(
                step=step,
                accuracy=self._accuracy,
                expected_cost=float(self._cost(draws).mean()),
                entropy=self._distribution.entropy(),
                probabilities=tuple(
                    tuple(float(value) for value in row[:count])
                    for row, count in zip(probabilities, counts, strict=True)
                ),
            )
        )


@torch.no_grad()
def _shift(parameters: list[torch.nn.Parameter], start: list[Tensor], direction: object, scale: float) -> None:
    """Set parameters to start + scale * direction; where there is no direction, to the start."""
    assert isinstance(direction, (list, tuple))
    for parameter, value, step in zip(parameters, start, direction, strict=True):
        parameter.copy_(value if step is None else value + scale * step)
