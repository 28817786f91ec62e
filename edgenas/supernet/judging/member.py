"""One member of a supernet, prepared for evaluation: with its own normalisation statistics, folded for speed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgenas.errors import InputError, explain
from edgenas.nn import GraphModule, Weights, build
from edgenas.supernet.path import Step, convolve, run_path
from edgenas.supernet.supernet import Supernet
from edgenas.types import Genes


class Member:
    """A member with a copy of the supernet's weights. Later training of the supernet does not change it.

    Call `calibrate` first. Batch norm needs statistics of this member; without them its accuracy has no meaning.
    """

    def __init__(self, supernet: Supernet, genes: Genes) -> None:
        self._space, self._genes = supernet.space, genes
        self._path = supernet.path(genes)
        self._weights: dict[str, Tensor] = {}
        for step in self._path.steps:
            for name, tensor in supernet.slices(step):
                layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
                self._weights[name] = tensor.detach().clone(memory_format=layout)
        self._sums: dict[str, tuple[Tensor, Tensor]] = {}
        self._batches = 0
        self._folded: dict[str, tuple[Tensor, Tensor]] = {}

    @property
    def resolution(self) -> int:
        """Height and width of the images it takes."""
        return self._path.resolution

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor]) -> None:
        """Estimate the statistics of every batch norm: means over batches of training images.

        Args:
            batches: Images (N, C, H, W) each, N >= 2.

        Raises:
            InputError: There is no batch.
        """
        self._sums, self._batches = {}, 0
        for images in batches:
            run_path(self._path, images, self._measure)
            self._batches += 1
        if not self._batches:
            raise InputError(explain("no images to estimate normalisation statistics on"))
        self._fold()

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, classes), with the estimated statistics."""
        assert self._folded, "calibrate first"
        return run_path(self._path, images, self._run_folded)

    def weights(self) -> Weights:
        """Return the weights with the estimated statistics, named as the weights contract says."""
        weights: Weights = {name: np.array(tensor.cpu().numpy(), order="C") for name, tensor in self._weights.items()}
        for name, (mean, var) in self._sums.items():
            weights[f"{name}.norm.running_mean"] = (mean / self._batches).cpu().numpy()
            weights[f"{name}.norm.running_var"] = (var / self._batches).cpu().numpy()
        return weights

    def module(self) -> GraphModule:
        """Build the member as a plain network with the estimated statistics."""
        module = build(self._space.decode(self._genes))
        module.load_weights(self.weights())
        return module

    def _measure(self, x: Tensor, step: Step) -> Tensor:
        """Run a layer with the statistics of the batch, and add these to the sums."""
        name, op = step.op.name, step.op
        weight = self._weights[f"{name}.weight"]
        if not op.norm:
            return convolve(x, op, weight, self._weights[f"{name}.bias"])
        y = convolve(x, op, weight, None)
        # With momentum 1 the running statistics are mean and unbiased variance of the batch, as in torch.
        mean, var = torch.zeros(y.shape[1], device=y.device), torch.ones(y.shape[1], device=y.device)
        scale, shift = self._weights[f"{name}.norm.weight"], self._weights[f"{name}.norm.bias"]
        out = functional.batch_norm(y, mean, var, scale, shift, True, 1.0, step.eps)
        sums = self._sums.get(name)
        self._sums[name] = (mean, var) if sums is None else (sums[0] + mean, sums[1] + var)
        return out

    def _fold(self) -> None:
        self._folded = {}
        for step in self._path.steps:
            name, op = step.op.name, step.op
            if step.sharing is None:
                continue
            weight = self._weights[f"{name}.weight"]
            if not op.norm:
                self._folded[name] = (weight, self._weights[f"{name}.bias"])
                continue
            mean, var = (total / self._batches for total in self._sums[name])
            factor = self._weights[f"{name}.norm.weight"] / torch.sqrt(var + step.eps)
            bias = self._weights[f"{name}.norm.bias"] - mean * factor
            self._folded[name] = (weight * factor[:, None, None, None], bias)

    def _run_folded(self, x: Tensor, step: Step) -> Tensor:
        weight, bias = self._folded[step.op.name]
        return convolve(x, step.op, weight, bias)
