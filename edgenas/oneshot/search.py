"""Learning a distribution over networks together with the shared weights: gradient search and one-shot RL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batch, Batches
from edgenas.data.endless import EndlessBatches
from edgenas.oneshot.distribution import CostFunction, GeneDistribution
from edgenas.oneshot.policy import PolicyLearner
from edgenas.oneshot.settings import OneShotSettings
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training.placement import prepare
from edgenas.supernet.training.schemes import Members
from edgenas.supernet.training.state import Budget, identity, load_weight_tensors, run_to_the_end, weight_tensors
from edgenas.supernet.training.step import SharedStepper, not_finite
from edgenas.train.checkpoint import TrainCheckpoint, read_checkpoint, require_same, write_checkpoint
from edgenas.train.schedule import learning_rate, total_steps
from edgenas.types import Genes, Progress

RECORDS = 200
"""Records of a whole search: enough to draw, and small however long the search is."""

_STREAM = 2**31 + 2
_LAST = 2**31 + 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShotRecord:
    """The distribution at one step.

    Attributes:
        step: Optimiser steps so far.
        accuracy: Of the batch that the distribution learned from; None in the warm-up.
        expected_cost: Mean cost of draws.
        entropy: Mean of the genes, 1 for uniform, 0 for decided.
        probabilities: Of every choice of every gene.
    """

    step: int
    accuracy: float | None
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
        notes: What a user may not expect, one sentence each.
        preprocessing: Of the images, at the largest resolution of the space.
    """

    distribution: GeneDistribution
    best: Genes
    best_cost: float
    history: tuple[OneShotRecord, ...]
    steps: int
    seconds: float
    notes: tuple[str, ...]
    preprocessing: Preprocessing


def search_one_shot(
    supernet: Supernet,
    data: ImageData,
    settings: OneShotSettings,
    cost: CostFunction,
    *,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
    checkpoint_dir: Path | None = None,
    device: torch.device | str = "cpu",
) -> OneShotResult:
    """Train a supernet and learn which of its networks are worth most at a cost.

    All draws depend on (seed, step) alone and checkpoints are written between epochs, so that a search that was killed
    and started again with the same arguments ends, on a CPU and with a budget of epochs or steps, with the same result.

    Args:
        supernet: Changed in place and moved to `device`.
        data: Training images for weights, validation images for the distribution.
        settings: The recipe.
        cost: Of networks (N, D), in the unit of `settings.target`.
        preprocessing: Normalisation of the images; None takes the statistics of the training images.
        progress: Called after every step with (done, all, what); thousandths where a clock limits.
        checkpoint_dir: Where to keep the state; taken up from where there is one.
        device: Where to train.

    Raises:
        DataError: Classes or channels of the images are not those of the space.
        TrainingError: A loss is not finite.
        WeightsError: The checkpoint belongs to another search.
        StoreError: A checkpoint cannot be written.
    """
    target = torch.device(device)
    prepared = prepare(supernet, data, preprocessing, target)
    search = _OneShot(supernet, data, settings, cost, prepared, target)
    run_to_the_end(search, progress=progress, folder=checkpoint_dir)
    return search.conclude()


class _OneShot:
    """The state of a search and the epochs that change it."""

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
        self._stepper = SharedStepper(supernet, train, device)
        self._policy = PolicyLearner(supernet, settings, cost, device)
        self._training = Batches(
            data.train, preprocessing, batch_size=train.batch_size, device=device, workers=train.workers
        )
        self._validation = EndlessBatches(
            Batches(data.validation, preprocessing, batch_size=train.batch_size, device=device, workers=train.workers),
            seed=train.seed + 1,
            classes=len(data.classes),
        )
        self._budget = Budget(train, total_steps(train, self._training.steps))
        self._epoch = 0
        self._folder: Path | None = None
        self._history: list[OneShotRecord] = []

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self._budget.spent

    def take_epoch(self, progress: Progress | None) -> None:
        """Search for one pass over the training images, or the rest of the budget."""
        budget, train = self._budget, self._settings.train
        started, before = time.perf_counter(), budget.seconds
        for batch in self._training.shuffled(
            seed=train.seed, epoch=self._epoch, classes=len(self._data.classes), augment=train.augment
        ):
            if budget.spent:
                break
            self._take_step(batch, budget.share())
            budget.step += 1
            budget.seconds = before + time.perf_counter() - started
            if budget.share() * RECORDS >= len(self._history) + 1:
                self._record()
            if progress is not None:
                progress(*budget.thousandths(), f"searching with {self._settings.method}")
        self._epoch += 1

    def conclude(self) -> OneShotResult:
        """Choose the network that the distribution says is best."""
        settings, distribution = self._settings, self._policy.distribution
        goal = settings.target if settings.cost_goal == "target" else None
        rng = np.random.default_rng((settings.train.seed, _LAST))
        best = self._supernet.space.canonical(distribution.best(rng, cost=self._cost, target=goal)[None])[0]
        return OneShotResult(
            distribution=distribution,
            best=best,
            best_cost=float(self._cost(best[None])[0]),
            history=tuple(self._history),
            steps=self._budget.step,
            seconds=self._budget.seconds,
            notes=(*self._training.notes, *self._stepper.notes),
            preprocessing=self._preprocessing,
        )

    def _take_step(self, batch: Batch, share: float) -> None:
        settings, policy = self._settings, self._policy
        rng = np.random.default_rng((settings.train.seed, self._budget.step, _STREAM))
        rate = learning_rate(settings.train, share)
        if share < settings.warm_up_share:
            self._train_weights(batch, self._warm_up_member(share / settings.warm_up_share, rng), rate)
            return
        self._learn(batch, share, rate, rng)
        self._train_weights(batch, policy.distribution.sample(1, rng)[0], rate)

    def _learn(self, batch: Batch, share: float, rate: float, rng: np.random.Generator) -> None:
        """Let the distribution learn from images that the weights are not trained on."""
        settings, policy, held_out = self._settings, self._policy, self._validation.next()
        if settings.method == "tunas":
            policy.learn_by_reward(held_out, rng)
        elif settings.method == "gumbel":
            first, last = settings.temperature
            learned = (share - settings.warm_up_share) / (1 - settings.warm_up_share)
            policy.learn_by_two_paths(held_out, temperature=first * (last / first) ** learned, rng=rng)
        else:
            unrolled = (batch, rate) if settings.method == "darts_second_order" else None
            policy.learn_by_expectation(held_out, rng=rng, unrolled=unrolled)

    def _warm_up_member(self, done: float, rng: np.random.Generator) -> Genes:
        if self._settings.filter_warm_up and rng.random() > done:
            return self._supernet.space.largest()
        return self._supernet.space.sample(1, rng)[0]

    def _train_weights(self, batch: Batch, genes: Genes, rate: float) -> None:
        loss = self._stepper.step(batch, Members([genes], teacher=False), rate)
        if not torch.isfinite(loss):
            raise not_finite(f"step {self._budget.step} of the search", genes, self._folder)

    def _record(self) -> None:
        distribution = self._policy.distribution
        draws = distribution.sample(self._settings.cost_draws, np.random.default_rng((self._budget.step, _LAST)))
        counts = self._supernet.space.cardinalities
        accuracy = self._policy.accuracy
        self._history.append(
            OneShotRecord(
                step=self._budget.step,
                accuracy=None if np.isnan(accuracy) else accuracy,
                expected_cost=float(self._cost(draws).mean()),
                entropy=distribution.entropy(),
                probabilities=tuple(
                    tuple(round(float(value), 4) for value in row[:count])
                    for row, count in zip(distribution.probabilities(), counts, strict=True)
                ),
            )
        )

    def save(self, folder: Path) -> None:
        """Write the state."""
        tensors = weight_tensors(self._supernet, self._stepper)
        tensors |= {f"policy.{name}": value for name, value in self._policy.tensors().items()}
        facts = {
            "epoch": self._epoch,
            **self._budget.facts,
            **self._stepper.facts,
            "validation": self._validation.position,
            "policy": self._policy.facts,
            "history": [asdict(record) for record in self._history],
            "search": self._identity(),
        }
        write_checkpoint(folder, TrainCheckpoint(tensors=tensors, facts=facts), tag=f"{self._epoch:05d}")

    @torch.no_grad()
    def resume(self, folder: Path) -> None:
        """Take the state up from a folder, where there is one."""
        self._folder = folder
        checkpoint = read_checkpoint(folder)
        if checkpoint is None:
            return
        facts, groups = checkpoint.facts, checkpoint.groups()
        require_same(self._identity(), facts["search"], folder, what="search")
        load_weight_tensors(self._supernet, self._stepper, groups)
        self._stepper.load_facts(facts)
        self._budget.load_facts(facts)
        self._policy.load_tensors(groups["policy"])
        self._policy.load_facts(facts["policy"])
        self._validation.skip_to(facts["validation"])
        self._epoch = facts["epoch"]
        self._history = [_record_of(record) for record in facts["history"]]

    def _identity(self) -> dict[str, Any]:
        space = self._supernet.space
        ends = self._cost(np.stack([space.smallest(), space.largest()]))
        found = identity(self._supernet, self._data, self._preprocessing, self._settings.to_dict())
        return {**found, "costs": [float(value) for value in ends]}


def _record_of(content: Mapping[str, Any]) -> OneShotRecord:
    return OneShotRecord(**{**content, "probabilities": tuple(tuple(row) for row in content["probabilities"])})
