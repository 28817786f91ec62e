"""How the distribution over networks learns from batches: by reward, or by gradients through one path."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgenas.data.batches import Batch
from edgenas.supernet.distribution import CostFunction, Floats, GeneDistribution, Genes
from edgenas.supernet.oneshot_settings import OneShotSettings
from edgenas.supernet.supernet import Supernet
from edgenas.train.optimizer import load_state_tensors, state_tensors

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
        betas = (0.0, 0.999) if settings.method == "tunas" else (0.5, 0.999)
        self._adam = torch.optim.Adam(self.distribution.parameters(), lr=settings.learning_rate, betas=betas)
        self._baseline: float | None = None

    def draw_noise(self, rng: np.random.Generator) -> Tensor:
        """Draw Gumbel noise (D, K)."""
        logits = self.distribution.logits
        return torch.from_numpy(rng.gumbel(size=tuple(logits.shape))).to(logits)

    def learn_by_reward(self, batch: Batch, rng: np.random.Generator) -> None:
        """REINFORCE (Bender 2020, section 3): accuracy of one network, and the expected cost term in closed form."""
        genes = self.distribution.sample(1, rng)
        with torch.no_grad():
            logits = self._supernet(batch.images, genes[0])
        self.accuracy = float((logits.argmax(1) == batch.labels).float().mean())
        if self._baseline is None:
            self._baseline = self.accuracy
        advantage = self.accuracy - self._baseline
        decay = self._settings.baseline_decay
        self._baseline = decay * self._baseline + (1 - decay) * self.accuracy
        self._adam.zero_grad()
        (self._cost_term(rng) - advantage * self.distribution.log_prob(genes)[0]).backward()
        self._adam.step()

    def learn_by_gradient(
        self, batch: Batch, *, temperature: float, rng: np.random.Generator, unrolled: tuple[Batch, float] | None = None
    ) -> None:
        """One step down the gradient of the loss through one path.

        Args:
            batch: Images that it learns from.
            temperature: Of the Gumbel-softmax.
            rng: Draws the path and the networks whose costs stand for the expected cost.
            unrolled: A batch of training images and the weights' learning rate: the gradient is then taken after one
                step of the weights on them.
        """
        logits, noise = self.distribution.logits, self.draw_noise(rng)

        def loss_of(images: Batch) -> tuple[Tensor, Tensor]:
            genes, gates = self.distribution.gumbel_path(noise, temperature)
            output = self._supernet(images.images, genes, gates=gates)
            return functional.cross_entropy(output, images.labels), output

        if unrolled is None:
            loss, output = loss_of(batch)
            (gradient,) = torch.autograd.grad(loss, [logits])
        else:
            gradient, output = self._unrolled_gradient(loss_of, batch, *unrolled)
        self.accuracy = float((output.argmax(1) == batch.labels).float().mean())
        self._adam.zero_grad()
        self._cost_term(rng).backward()
        assert logits.grad is not None
        logits.grad += gradient
        self._adam.step()

    def _unrolled_gradient(
        self, loss_of: Callable[[Batch], tuple[Tensor, Tensor]], batch: Batch, training: Batch, rate: float
    ) -> tuple[Tensor, Tensor]:
        """Gradient after one unrolled step of the weights, second term by finite differences (Liu 2019, eq. 7, 8)."""
        logits, parameters = self.distribution.logits, list(self._supernet.parameters())
        saved = [parameter.detach().clone() for parameter in parameters]
        inner = torch.autograd.grad(loss_of(training)[0], parameters, allow_unused=True)
        _shift(parameters, saved, inner, -rate)
        loss, output = loss_of(batch)
        first, *outer = torch.autograd.grad(loss, [logits, *parameters], allow_unused=True)
        nothing = torch.zeros((), device=logits.device)
        norm = torch.sqrt(sum((g.square().sum() for g in outer if g is not None), nothing))
        epsilon = _FINITE_DIFFERENCE / max(float(norm), 1e-12)
        sides = []
        for sign in (1.0, -1.0):
            _shift(parameters, saved, outer, sign * epsilon)
            sides.append(torch.autograd.grad(loss_of(training)[0], [logits])[0])
        _shift(parameters, saved, outer, 0.0)
        return first - rate * (sides[0] - sides[1]) / (2 * epsilon), output

    def _cost_term(self, rng: np.random.Generator) -> Tensor:
        """What the expected cost adds to the loss of the distribution."""
        settings = self._settings

        def relative(genes: Genes) -> Floats:
            found = self._cost(genes) / settings.target
            return np.abs(found - 1) if settings.cost_goal == "target" else found

        return settings.cost_weight * self.distribution.expectation(relative, settings.cost_draws, rng)

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint must hold as tensors."""
        adam = {f"adam.{name}": value for name, value in state_tensors(self._adam).items()}
        return {"logits": self.distribution.logits.detach(), **adam}

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what `tensors` returned."""
        self.distribution.logits.copy_(tensors["logits"])
        adam = {name.removeprefix("adam."): value for name, value in tensors.items() if name.startswith("adam.")}
        load_state_tensors(self._adam, adam)

    @property
    def facts(self) -> dict[str, float | None]:
        """What a checkpoint must hold beside tensors."""
        return {"accuracy": None if np.isnan(self.accuracy) else self.accuracy, "baseline": self._baseline}

    def load_facts(self, facts: Mapping[str, float | None]) -> None:
        """Take up what `facts` returned."""
        self.accuracy = float("nan") if facts["accuracy"] is None else facts["accuracy"]
        self._baseline = facts["baseline"]


@torch.no_grad()
def _shift(parameters: list[torch.nn.Parameter], start: list[Tensor], direction: object, scale: float) -> None:
    """Set parameters to start + scale * direction; where there is no direction, to the start."""
    assert isinstance(direction, (list, tuple))
    for parameter, value, step in zip(parameters, start, direction, strict=True):
        parameter.copy_(value if step is None else value + scale * step)
