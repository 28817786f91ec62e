"""How the distribution over networks learns from batches: by reward, by gates, or by the expected loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgenas.data.batches import Batch
from edgenas.oneshot.distribution import CostFunction, GeneDistribution
from edgenas.oneshot.methods import method_of
from edgenas.oneshot.settings import OneShotSettings
from edgenas.oneshot.two_paths import TwoPaths
from edgenas.supernet.supernet import Supernet
from edgenas.train.optimizer import load_state_tensors, state_tensors
from edgenas.types import Floats, Genes

_FINITE_DIFFERENCE = 0.01
"""Of the Hessian-vector product, over the gradient's norm (Liu 2019, section 2.3)."""


class PolicyLearner:
    """A distribution over the members of a supernet and what it has learned.

    Attributes:
        distribution: Over the networks of the space.
        accuracy: Of the last batch that it learned from; NaN before the first.
    """

    def __init__(
        self, supernet: Supernet, settings: OneShotSettings, cost: CostFunction, device: torch.device
    ) -> None:
        self.distribution = GeneDistribution(supernet.space).to(device)
        self.accuracy = float("nan")
        self._supernet, self._settings, self._cost = supernet, settings, cost
        betas = (method_of(settings.method).first_moment, 0.999)
        self._adam = torch.optim.Adam(self.distribution.parameters(), lr=settings.learning_rate, betas=betas)
        self._baseline: float | None = None
        self._two_paths = TwoPaths(supernet)

    def learn_by_reward(self, batch: Batch, rng: np.random.Generator) -> None:
        """REINFORCE (Bender 2020, section 3): accuracy of one network, and the expected cost term in closed form."""
        genes = self.distribution.sample(1, rng)
        with torch.no_grad():
            logits = self._supernet(batch.images, genes[0])
        self._note_accuracy(logits, batch)
        (-self._advantage(self.accuracy) * self.distribution.log_prob(genes)[0]).backward()
        self._step(rng)

    def learn_by_two_paths(self, batch: Batch, *, temperature: float, rng: np.random.Generator) -> None:
        """One step down the gradient of the loss with respect to the gates of two sampled paths.

        Genes without a place (see `TwoPaths`) learn from the loss by REINFORCE, as in `learn_by_reward`.

        Args:
            batch: Images that it learns from.
            temperature: Of the Gumbel-softmax.
            rng: Draws the paths, and the networks whose costs stand for the expected cost.
        """
        logits = self.distribution.logits
        noise = torch.from_numpy(rng.gumbel(size=tuple(logits.shape))).to(logits)
        pair = self.distribution.gumbel_pair(noise, temperature)
        output = self._two_paths.logits(batch.images, pair)
        self._note_accuracy(output, batch)
        loss = functional.cross_entropy(output, batch.labels)
        drawn = self.distribution.log_prob(pair.first[None], genes=self._two_paths.placeless)[0]
        # Gradients of this loss for the weights are dropped.
        (gradient,) = torch.autograd.grad(loss + self._advantage(loss.item()) * drawn, [logits])
        logits.grad = gradient
        self._step(rng)

    def learn_by_expectation(
        self, batch: Batch, *, rng: np.random.Generator, unrolled: tuple[Batch, float] | None = None
    ) -> None:
        """One step down the gradient of the expected loss, estimated by several paths on the same images.

        Args:
            batch: Images that it learns from.
            rng: Draws the paths, and the networks whose costs stand for the expected cost.
            unrolled: A batch of training images and the weights' learning rate: the gradient is then taken after one
                step of the weights on them.
        """
        genes, logits = self.distribution.sample(self._settings.paths, rng), self.distribution.logits
        if unrolled is None:
            with torch.no_grad():
                losses = self._losses(batch, genes)
            (gradient,) = torch.autograd.grad(self.expected(losses, genes), [logits])
        else:
            gradient = self._unrolled_gradient(batch, genes, *unrolled)
        logits.grad = gradient
        self._step(rng)

    def _losses(self, batch: Batch, genes: Genes) -> Tensor:
        """Losses (N,) of networks on the same images."""
        outputs = [self._supernet(batch.images, row) for row in genes]
        self._note_accuracy(torch.cat(outputs), replace(batch, labels=batch.labels.repeat(len(genes))))
        return torch.stack([functional.cross_entropy(output, batch.labels) for output in outputs])

    def expected(self, losses: Tensor, genes: Genes) -> Tensor:
        """Return the mean loss of drawn networks; its gradient in the distribution is unbiased.

        The mean of the other losses is subtracted from each loss (Kool 2019). This removes the difficulty of the
        images.

        Args:
            losses: (N,), N >= 2; differentiable in the weights or not.
            genes: (N, D), drawn from the distribution.
        """
        centred = (losses - losses.mean()).detach() * len(genes) / (len(genes) - 1)
        score = (centred * self.distribution.log_prob(genes)).mean()
        return losses.mean() + score - score.detach()

    def _unrolled_gradient(self, batch: Batch, genes: Genes, training: Batch, rate: float) -> Tensor:
        """Gradient after one unrolled step of the weights, second term by finite differences (Liu 2019, eq. 7, 8)."""
        logits, parameters = self.distribution.logits, list(self._supernet.parameters())

        def expected(images: Batch) -> Tensor:
            return self.expected(self._losses(images, genes), genes)

        saved = [parameter.detach().clone() for parameter in parameters]
        inner = torch.autograd.grad(expected(training), parameters, allow_unused=True)
        _shift(parameters, saved, inner, -rate)
        first, *outer = torch.autograd.grad(expected(batch), [logits, *parameters], allow_unused=True)
        accuracy, nothing = self.accuracy, torch.zeros((), device=logits.device)
        norm = torch.sqrt(sum((g.square().sum() for g in outer if g is not None), nothing))
        epsilon = _FINITE_DIFFERENCE / max(float(norm), 1e-12)
        sides = []
        for sign in (1.0, -1.0):
            _shift(parameters, saved, outer, sign * epsilon)
            with torch.no_grad():
                losses = self._losses(training, genes)
            sides.append(torch.autograd.grad(self.expected(losses, genes), [logits])[0])
        _shift(parameters, saved, outer, 0.0)
        self.accuracy = accuracy
        gradient: Tensor = first - rate * (sides[0] - sides[1]) / (2 * epsilon)
        return gradient

    def _note_accuracy(self, logits: Tensor, batch: Batch) -> None:
        self.accuracy = float((logits.argmax(1) == batch.labels).float().mean())

    def _advantage(self, value: float) -> float:
        """Difference of a value to the moving average of earlier values. The value is then added to the average."""
        before = value if self._baseline is None else self._baseline
        decay = self._settings.baseline_decay
        self._baseline = decay * before + (1 - decay) * value
        return value - before

    def _step(self, rng: np.random.Generator) -> None:
        """Take a step down the present gradient plus that of the expected cost."""
        self._cost_term(rng).backward()
        self._adam.step()
        self._adam.zero_grad()

    def _cost_term(self, rng: np.random.Generator) -> Tensor:
        """What the expected cost adds to the loss of the distribution."""
        settings = self._settings

        def relative(genes: Genes) -> Floats:
            found = self._cost(genes) / settings.target
            return np.abs(found - 1) if settings.cost_goal == "target" else found

        return settings.weight_of_cost * self.distribution.expectation(relative, settings.cost_draws, rng)

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint must hold as tensors."""
        adam = {f"adam.{name}": value for name, value in state_tensors(self._adam).items()}
        return {"logits": self.distribution.logits.detach(), **adam}

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` returned."""
        self.distribution.logits.copy_(tensors["logits"])
        adam = {name.removeprefix("adam."): value for name, value in tensors.items() if name.startswith("adam.")}
        load_state_tensors(self._adam, adam)

    @property
    def facts(self) -> dict[str, float | None]:
        """What a checkpoint must hold beside tensors."""
        return {"accuracy": None if np.isnan(self.accuracy) else self.accuracy, "baseline": self._baseline}

    def load_facts(self, facts: Mapping[str, float | None]) -> None:
        """Restore what `facts` returned."""
        self.accuracy = float("nan") if facts["accuracy"] is None else facts["accuracy"]
        self._baseline = facts["baseline"]


@torch.no_grad()
def _shift(parameters: list[torch.nn.Parameter], start: list[Tensor], direction: object, scale: float) -> None:
    """Set parameters to start + scale * direction; where there is no direction, to the start."""
    assert isinstance(direction, (list, tuple))
    for parameter, value, step in zip(parameters, start, direction, strict=True):
        parameter.copy_(value if step is None else value + scale * step)
