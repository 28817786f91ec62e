"""Learning a distribution over networks together with the shared weights: gradient search and one-shot RL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgenas.data import ImageData, Preprocessing, fit_preprocessing
from edgenas.data.batches import Batch, Batches
from edgenas.errors import TrainingError, WeightsError, explain
from edgenas.supernet.distribution import CostFunction, GeneDistribution, Genes
from edgenas.supernet.oneshot_settings import OneShotSettings
from edgenas.supernet.policy import PolicyLearner
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training import CHECKPOINT_SECONDS, largest_resolution, require_fitting_data
from edgenas.train.checkpoint import TrainCheckpoint, read_checkpoint, write_checkpoint
from edgenas.train.losses import batch_loss
from edgenas.train.optimizer import load_state_tensors, make_optimizer, set_learning_rate, state_tensors
from edgenas.train.schedule import learning_rate, spent_share, total_steps
from edgenas.train.step import autocast_dtype

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
    checkpoint_dir: Path | None = None,
    device: torch.device | str = "cpu",
) -> OneShotResult:
    """Train a supernet and learn which of its networks are worth most at a cost.

    All draws depend on (seed, step) alone and checkpoints are written between epochs, so that a search that was killed
    and started again with the same arguments ends, on a CPU and with a budget of epochs or steps, with the same result.

    Args:
        supernet: Changed in place and moved to `device`.
        data: Training images for weights, validation images for the distribution (but for "gumbel").
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
    require_fitting_data(supernet, data)
    target = torch.device(device)
    supernet.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    prepared = replace(preprocessing or fit_preprocessing(data.train), resolution=largest_resolution(supernet))
    search = _OneShot(supernet, data, settings, cost, prepared, target)
    if checkpoint_dir is not None:
        search.resume(checkpoint_dir)
    saved = time.perf_counter()
    while not search.finished:
        search.run_epoch(progress)
        due = search.finished or time.perf_counter() - saved > CHECKPOINT_SECONDS
        if checkpoint_dir is not None and due:
            search.save(checkpoint_dir)
            saved = time.perf_counter()
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
        self._preprocessing, self._device = preprocessing, device
        train = settings.train
        self._optimizer = make_optimizer(supernet, train)
        dtype = autocast_dtype(train, device)
        # Scaled losses of fp16 would need a scaler for either of two optimisers; bf16 needs none.
        self._dtype = dtype if dtype is torch.bfloat16 else None
        self._policy = PolicyLearner(supernet, settings, cost, device)
        self._training = Batches(
            data.train, preprocessing, batch_size=train.batch_size, device=device, workers=train.workers
        )
        self._validation = _Endless(
            Batches(data.validation, preprocessing, batch_size=train.batch_size, device=device, workers=train.workers),
            seed=train.seed + 1,
            classes=len(data.classes),
        )
        self._total = total_steps(train, self._training.steps)
        self._epoch = self._step = 0
        self._seconds = 0.0
        self._history: list[OneShotRecord] = []

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self._share() >= 1

    def run_epoch(self, progress: Callable[[int, int, str], None] | None) -> None:
        """Search for one pass over the training images, or the rest of the budget."""
        started, before, train = time.perf_counter(), self._seconds, self._settings.train
        for batch in self._training.shuffled(
            seed=train.seed, epoch=self._epoch, classes=len(self._data.classes), augment=train.augment
        ):
            share = self._share()
            if share >= 1:
                break
            set_learning_rate(self._optimizer, learning_rate(train, share))
            self._take_step(batch, share)
            self._step += 1
            self._seconds = before + time.perf_counter() - started
            if self._share() * RECORDS >= len(self._history) + 1:
                self._record()
            if progress is not None:
                progress(min(1000, round(self._share() * 1000)), 1000, f"searching with {self._settings.method}")
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
            steps=self._step,
            seconds=self._seconds,
            preprocessing=self._preprocessing,
        )

    def _take_step(self, batch: Batch, share: float) -> None:
        settings, policy = self._settings, self._policy
        rng = np.random.default_rng((settings.train.seed, self._step, _STREAM))
        if share < settings.warm_up_share:
            self._train_weights(batch, self._warm_up_member(share / settings.warm_up_share, rng))
            return
        if settings.method == "tunas":
            policy.learn_by_reward(self._validation.next(), rng)
            self._train_weights(batch, policy.distribution.sample(1, rng)[0])
            return
        first, last = settings.temperature
        learned = (share - settings.warm_up_share) / (1 - settings.warm_up_share)
        temperature = first * (last / first) ** learned
        images = batch if settings.method == "gumbel" else self._validation.next()
        unrolled = (batch, self._optimizer.param_groups[0]["lr"]) if settings.method == "darts_second_order" else None
        policy.learn_by_gradient(images, temperature=temperature, rng=rng, unrolled=unrolled)
        self._train_weights(batch, policy.distribution.gumbel_path(policy.draw_noise(rng), temperature)[0])

    def _warm_up_member(self, done: float, rng: np.random.Generator) -> Genes:
        if self._settings.filter_warm_up and rng.random() > done:
            return self._supernet.space.largest()
        return self._supernet.space.sample(1, rng)[0]

    def _train_weights(self, batch: Batch, genes: Genes) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None):
            logits = self._supernet(batch.images, genes)
        loss = batch_loss(logits, batch, self._settings.train, None)
        if not torch.isfinite(loss):
            raise TrainingError(
                explain(
                    f"the loss of the supernet is not finite at step {self._step} of the search",
                    got=f"member {genes.tolist()}",
                    remedy="Lower the learning rate or set clip_norm; a checkpoint holds an earlier epoch.",
                )
            )
        loss.backward()
        if self._settings.train.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._supernet.parameters(), self._settings.train.clip_norm)
        self._optimizer.step()

    def _record(self) -> None:
        distribution = self._policy.distribution
        draws = distribution.sample(self._settings.cost_draws, np.random.default_rng((self._step, _LAST)))
        counts = self._supernet.space.cardinalities
        accuracy = self._policy.accuracy
        self._history.append(
            OneShotRecord(
                step=self._step,
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
        tensors = {f"supernet.{name}": value.detach() for name, value in self._supernet.shared_weights().items()}
        tensors |= {f"optimizer.{name}": value for name, value in state_tensors(self._optimizer).items()}
        tensors |= {f"policy.{name}": value for name, value in self._policy.tensors().items()}
        facts = {
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self._seconds,
            "validation": self._validation.position,
            "policy": self._policy.facts,
            "history": [asdict(record) for record in self._history],
            "search": self._identity(),
        }
        write_checkpoint(folder, TrainCheckpoint(tensors=tensors, facts=facts), tag=f"{self._epoch:05d}")

    @torch.no_grad()
    def resume(self, folder: Path) -> None:
        """Take the state up from a folder, where there is one."""
        checkpoint = read_checkpoint(folder)
        if checkpoint is None:
            return
        facts = checkpoint.facts
        self._require_same_search(facts["search"], folder)
        groups: dict[str, dict[str, torch.Tensor]] = {"supernet": {}, "optimizer": {}, "policy": {}}
        for key, value in checkpoint.tensors.items():
            group, name = key.split(".", 1)
            groups[group][name] = value
        for name, parameter in self._supernet.shared_weights().items():
            parameter.copy_(groups["supernet"][name])
        load_state_tensors(self._optimizer, groups["optimizer"])
        self._policy.load_tensors(groups["policy"])
        self._policy.load_facts(facts["policy"])
        self._validation.skip_to(facts["validation"])
        self._epoch, self._step, self._seconds = facts["epoch"], facts["step"], facts["seconds"]
        self._history = [_record_of(record) for record in facts["history"]]

    def _identity(self) -> dict[str, Any]:
        """Say which search this is: what may not differ when it is taken up again."""
        settings = self._settings.to_dict()
        recipe = {name: value for name, value in settings.pop("train").items() if name != "workers"}
        space = self._supernet.space
        ends = self._cost(np.stack([space.smallest(), space.largest()]))
        found = {
            "space": space.digest,
            "data": self._data.digest,
            "input": self._preprocessing.to_dict(),
            "costs": [float(value) for value in ends],
            **settings,
            **recipe,
        }
        return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}

    def _require_same_search(self, theirs: Mapping[str, Any], folder: Path) -> None:
        ours = self._identity()
        different = sorted(name for name in ours if theirs.get(name) != ours[name])
        if different:
            raise WeightsError(
                explain(
                    f"the checkpoint in {folder} belongs to another search",
                    got=", ".join(f"{name} {theirs.get(name)} (now {ours[name]})" for name in different[:3]),
                    remedy="Name another folder, or delete this one to start anew.",
                )
            )

    def _share(self) -> float:
        return spent_share(self._settings.train, self._step, self._total, self._seconds)


class _Endless:
    """Batches of one epoch after the other, from any position."""

    def __init__(self, batches: Batches, *, seed: int, classes: int) -> None:
        self._batches, self._seed, self._classes = batches, seed, classes
        self.position = 0
        self._stream: Iterator[Batch] | None = None

    def next(self) -> Batch:
        """Return the next batch."""
        if self._stream is None:
            self._stream = self._walk()
        self.position += 1
        return next(self._stream)

    def skip_to(self, position: int) -> None:
        """Go on at a position."""
        self.position, self._stream = position, None

    def _walk(self) -> Iterator[Batch]:
        epoch, first = divmod(self.position, self._batches.steps)
        while True:
            yield from self._batches.shuffled(seed=self._seed, epoch=epoch, classes=self._classes, first_step=first)
            epoch, first = epoch + 1, 0


def _record_of(content: Mapping[str, Any]) -> OneShotRecord:
    return OneShotRecord(**{**content, "probabilities": tuple(tuple(row) for row in content["probabilities"])})
