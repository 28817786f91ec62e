"""Learning a distribution over networks together with the shared weights: gradient search and one-shot RL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batch, Batches
from edgenas.data.endless import EndlessBatches
from edgenas.oneshot.distribution import CostFunction, GeneDistribution
from edgenas.oneshot.methods import Turn, method_of
from edgenas.oneshot.policy import PolicyLearner
from edgenas.oneshot.settings import OneShotSettings
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training import shared
from edgenas.supernet.training.members import MemberStepper
from edgenas.supernet.training.placement import place
from edgenas.supernet.training.schemes import Members
from edgenas.train.averaging import WeightAverage
from edgenas.train.loop.budget import Budget
from edgenas.train.loop.loop import Loop
from edgenas.train.loop.schedule import learning_rate
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
        best: The likeliest network (D,) near the target if the goal is a target, else the likeliest of all.
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
    """Train a supernet and learn which of its networks are the best at a cost.

    All draws depend only on (seed, step). So a search that was killed at any step and started again with the same
    arguments ends with the same result, on a CPU and with a budget of epochs or steps.

    Args:
        supernet: Changed in place and moved to `device`.
        data: Training images for weights, validation images for the distribution.
        settings: The recipe.
        cost: Of networks (N, D), in the unit of `settings.target`.
        preprocessing: Normalisation of the images; None takes the statistics of the training images.
        progress: Called after every step with (steps done, steps in all, "steps"), or in thousandths ("") where a clock
            limits.
        checkpoint_dir: Where to keep the state. A state that lies there is resumed.
        device: Where to train.

    Raises:
        DataError: Classes or channels of the images are not those of the space.
        TrainingError: A loss is not finite.
        WeightsError: The checkpoint belongs to another search.
        StoreError: A checkpoint cannot be written.
    """
    target = torch.device(device)
    prepared = place(supernet, data, preprocessing, target)
    train = settings.train
    batches = Batches(data.train, prepared, batch_size=train.batch_size, device=target, workers=train.workers)
    work = OneShotWork(supernet, data, settings, cost, prepared, target)
    loop = Loop(work, batches, Budget(train, batches.steps), train, classes=len(data.classes))
    loop.run(folder=checkpoint_dir, progress=progress, spacing_seconds=shared.CHECKPOINT_SECONDS)
    work.keep()
    best = work.best()
    return OneShotResult(
        distribution=work.distribution,
        best=best,
        best_cost=float(cost(best[None])[0]),
        history=tuple(work.history),
        steps=loop.budget.step,
        seconds=loop.budget.seconds,
        notes=(*batches.notes, *work.stepper.notes),
        preprocessing=prepared,
    )


class OneShotWork:
    """Shared weights and a distribution that learn in turns; see `edgenas.train.loop.work.Work`.

    Attributes:
        history: The distribution over time.
    """

    name = "search"
    loss_name = "the loss of the supernet"
    section = "supernet"
    check_every = 1
    """Losses are checked at every step, since the distribution learns from the weights at every step."""

    def __init__(
        self,
        supernet: Supernet,
        data: ImageData,
        settings: OneShotSettings,
        cost: CostFunction,
        preprocessing: Preprocessing,
        device: torch.device,
    ) -> None:
        """Keep what is given; the supernet lies on the device."""
        train = settings.train
        self.history: list[OneShotRecord] = []
        decay = train.averaging_decay
        self.average = None if decay is None else WeightAverage(supernet.parameters(), decay)
        self._members = MemberStepper(supernet, train, device)
        self.stepper = self._members.stepper
        self._supernet, self._data, self._settings, self._cost = supernet, data, settings, cost
        self._preprocessing = preprocessing
        self._policy = PolicyLearner(supernet, settings, cost, device)
        self._validation = EndlessBatches(
            Batches(data.validation, preprocessing, batch_size=train.batch_size, device=device, workers=train.workers),
            seed=train.seed + 1,
            classes=len(data.classes),
        )
        self._trained = supernet.space.largest()

    @property
    def distribution(self) -> GeneDistribution:
        """Over the networks of the space."""
        return self._policy.distribution

    def take_step(self, batch: Batch, budget: Budget) -> Tensor:
        """Let the distribution learn, then the weights of a network that it draws."""
        settings, share = self._settings, budget.share()
        rng = np.random.default_rng((settings.train.seed, budget.step, _STREAM))
        rate = learning_rate(settings.train, share)
        if share < settings.warm_up_share:
            self._trained = self._warm_up_member(share / settings.warm_up_share, rng)
        else:
            with self._judged_weights():
                self._learn(batch, share, rate, rng)
            self._trained = self.distribution.sample(1, rng)[0]
        loss = self._members.step(batch, Members([self._trained], teacher=False), rate)
        if budget.share(ahead=1) * RECORDS >= len(self.history) + 1:
            self._record(budget.step + 1)
        return loss

    def _judged_weights(self) -> AbstractContextManager[None]:
        """Put the evaluation weights into the supernet within a block: their average, if there is one."""
        return nullcontext() if self.average is None else self.average.in_place_of(list(self._supernet.parameters()))

    def _learn(self, batch: Batch, share: float, rate: float, rng: np.random.Generator) -> None:
        """Let the distribution learn from images that the weights are not trained on."""
        settings = self._settings
        first, last = settings.temperature
        learned = (share - settings.warm_up_share) / (1 - settings.warm_up_share)
        turn = Turn(
            held_out=self._validation.next(),
            training=batch,
            learning_rate=rate,
            temperature=first * (last / first) ** learned,
            rng=rng,
        )
        method_of(settings.method).learn(self._policy, turn)

    def _warm_up_member(self, done: float, rng: np.random.Generator) -> Genes:
        if self._settings.filter_warm_up and rng.random() > done:
            return self._supernet.space.largest()
        return self._supernet.space.sample(1, rng)[0]

    def _record(self, step: int) -> None:
        distribution = self.distribution
        draws = distribution.sample(self._settings.cost_draws, np.random.default_rng((step, _LAST)))
        counts = self._supernet.space.cardinalities
        accuracy = self._policy.accuracy
        self.history.append(
            OneShotRecord(
                step=step,
                accuracy=None if np.isnan(accuracy) else accuracy,
                expected_cost=float(self._cost(draws).mean()),
                entropy=distribution.entropy(),
                probabilities=tuple(
                    tuple(round(float(value), 4) for value in row[:count])
                    for row, count in zip(distribution.probabilities(), counts, strict=True)
                ),
            )
        )

    def end_epoch(self, epoch: int, loss: float, budget: Budget) -> None:
        """Do nothing: records are made between epochs too."""

    def keep(self) -> None:
        """Put the weights that are kept into the supernet."""
        if self.average is not None:
            self.average.copy_to(list(self._supernet.parameters()))

    def best(self) -> Genes:
        """Choose the network (D,) that the distribution says is best."""
        settings = self._settings
        goal = settings.target if settings.cost_goal == "target" else None
        rng = np.random.default_rng((settings.train.seed, _LAST))
        found = self.distribution.best(rng, cost=self._cost, target=goal)
        best: Genes = self._supernet.space.canonical(found[None])[0]
        return best

    def culprit(self, step: int, share: float, loss: float) -> str:
        """Return the network of the last step."""
        return f"member {self._trained.tolist()}"

    def tensors(self) -> dict[str, Tensor]:
        """Return the distribution and its optimiser's state."""
        return {f"policy.{name}": value for name, value in self._policy.tensors().items()}

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint must hold beside tensors."""
        return {
            "validation": self._validation.position,
            "policy": self._policy.facts,
            "history": [asdict(record) for record in self.history],
        }

    def load(self, groups: Mapping[str, dict[str, Tensor]], facts: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `facts` returned."""
        self._policy.load_tensors(groups["policy"])
        self._policy.load_facts(facts["policy"])
        self._validation.skip_to(facts["validation"])
        self.history = [_record_of(record) for record in facts["history"]]

    def identity(self) -> dict[str, Any]:
        """Return the identity of this search."""
        space = self._supernet.space
        ends = self._cost(np.stack([space.smallest(), space.largest()]))
        found = shared.identity(self._supernet, self._data, self._preprocessing, self._settings.to_dict())
        return {**found, "costs": [float(value) for value in ends]}


def _record_of(content: Mapping[str, Any]) -> OneShotRecord:
    return OneShotRecord(**{**content, "probabilities": tuple(tuple(row) for row in content["probabilities"])})
