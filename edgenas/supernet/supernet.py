"""The supernet: one set of weights for all members of a search space."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgenas.errors import SpaceError, WeightsError, explain
from edgenas.nn import GraphModule, Weights, build
from edgenas.nn.initialise import CLASSIFIER_STD
from edgenas.space import SearchSpace
from edgenas.supernet.elastic.kernels import shrink, smaller_kernels
from edgenas.supernet.path import Path, Step, convolve, run_path, slice_weight
from edgenas.supernet.paths import Paths
from edgenas.supernet.shapes import Sharing, shared_shapes
from edgenas.types import Genes

KNOWN_PATHS = 4096



class Supernet(nn.Module):
    """Weights for every member of a space, shared by slicing.

    A member takes the first channels and the centre of the kernels; its blocks take the weights of their place in
    the space's full grid. Blocks of another form (fused, without expansion, with a start convolution) at the same
    place have weights of their own, a single-path choice. Batch norm always uses the statistics of the current batch.
    Running statistics have no meaning across members; they are estimated for one member at a time.

    Attributes:
        space: The space.
        shared: Largest shape of each shared weight, by name.
        kernel_transforms: Whether smaller depthwise kernels are learned transformations of the larger ones.
    """

    def __init__(
        self, space: SearchSpace, *, generator: torch.Generator | None = None, kernel_transforms: bool = False
    ) -> None:
        """Draw initial weights.

        Args:
            space: Any search space.
            generator: Source of the initial weights; seed 0 where none is given.
            kernel_transforms: Whether smaller depthwise kernels are learned transformations of the larger ones, which
                begin as their plain centres.
        """
        super().__init__()
        generator = generator or torch.Generator().manual_seed(0)
        self.space, self.kernel_transforms = space, kernel_transforms
        self.shared = shared_shapes(space)
        for name, sharing in self.shared.items():
            self._add(f"{name}.weight", _initial(sharing, generator))
            owner = f"{name}.norm" if sharing.norm else name
            if sharing.norm:
                self._add(f"{owner}.weight", torch.ones(sharing.out_channels))
            self._add(f"{owner}.bias", torch.zeros(sharing.out_channels))
            for size in smaller_kernels(sharing.kernel) if kernel_transforms and sharing.depthwise else ():
                self._add(f"{name}.change{size}", torch.zeros(size**2, size**2))
        self._paths: OrderedDict[bytes, Path] = OrderedDict()
        self._made = Paths(space, self._require_room)

    def forward(self, x: Tensor, genes: Genes) -> Tensor:
        """Run one member on a batch.

        Args:
            x: Images (N, C, H, W), resized where they are not of the member's resolution.
            genes: The member, (D,).

        Returns:
            Logits (N, classes), normalised with the statistics of this batch.

        Raises:
            SpaceError: The genes do not lie in the space.
        """
        return run_path(self.path(genes), x, self.layer)

    def path(self, genes: Genes) -> Path:
        """Return the steps of a member, cached for the last `KNOWN_PATHS` members."""
        key = np.asarray(genes, np.int64).tobytes()
        path = self._paths.get(key)
        if path is None:
            path = self._paths[key] = self._made.of(genes)
            if len(self._paths) > KNOWN_PATHS:
                self._paths.popitem(last=False)
        return path

    def _require_room(self, need: Sharing) -> None:
        have = self.shared.get(need.name)
        if have is None or not need.fits_into(have):
            raise SpaceError(
                explain(f"the supernet of {self.space.name} has no weights for {need.name}", got=need, allowed=have)
            )

    def shared_weights(self) -> dict[str, nn.Parameter]:
        """Return the shared weights by name: `stages.2.0.mbconv.expand.weight`, `head.classifier.bias`."""
        return {
            name.replace("/", "."): parameter for name, parameter in self._parameters.items() if parameter is not None
        }

    def member_weights(self, genes: Genes) -> Weights:
        """Copy the weights of one member, named as the weights contract says.

        Running statistics are those of an untrained network (mean 0, variance 1) until they are estimated.
        """
        weights: Weights = {}
        for step in self.path(genes).steps:
            for name, tensor in self.slices(step):
                weights[name] = _array(tensor)
                if name.endswith(".norm.bias"):
                    prefix = name.removesuffix("bias")
                    weights[f"{prefix}running_mean"] = np.zeros(len(tensor), np.float32)
                    weights[f"{prefix}running_var"] = np.ones(len(tensor), np.float32)
        return weights

    def extract(self, genes: Genes) -> GraphModule:
        """Build one member as a plain network that computes exactly what the supernet computes for it in training."""
        module = build(self.space.decode(genes))
        module.load_weights(self.member_weights(genes))
        return module

    @torch.no_grad()
    def load_member(self, genes: Genes, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Write the weights of one member into the shared ones, as a start from pretrained weights does.

        Raises:
            WeightsError: An array of the member is missing or of another shape.
        """
        for step in self.path(genes).steps:
            for name, tensor in self.slices(step, transformed=False):
                if name not in weights or tuple(weights[name].shape) != tuple(tensor.shape):
                    got = tuple(weights[name].shape) if name in weights else "nothing"
                    raise WeightsError(
                        explain(f"layer {step.op.name}: {name} does not fit", got=got, allowed=tuple(tensor.shape))
                    )
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(weights[name])))

    def slices(self, step: Step, *, transformed: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Yield the member's part of the shared weights of one step, under the names of the weights contract.

        Args:
            step: Of a path of this supernet.
            transformed: Whether smaller kernels are the transformed ones; otherwise all are views of shared weights.
        """
        if step.sharing is None:
            return
        sharing, op = step.sharing, step.op
        whole = self._shared(f"{sharing.name}.weight")
        yield f"{op.name}.weight", self._weight(sharing) if transformed else slice_weight(whole, sharing)
        for part in ("norm.weight", "norm.bias") if sharing.norm else ("bias",):
            yield f"{op.name}.{part}", self._shared(f"{sharing.name}.{part}")[: sharing.out_channels]

    def layer(self, x: Tensor, step: Step) -> Tensor:
        """Run one step that has weights, on the member's part of the shared ones.

        Args:
            x: What the step reads.
            step: Of a path of this supernet.
        """
        sharing, op = step.sharing, step.op
        assert sharing is not None
        weight, out = self._weight(sharing), sharing.out_channels
        if not sharing.norm:
            return convolve(x, op, weight, self._shared(f"{sharing.name}.bias")[:out])
        y = convolve(x, op, weight, None)
        scale, shift = (
            self._shared(f"{sharing.name}.norm.weight")[:out],
            self._shared(f"{sharing.name}.norm.bias")[:out],
        )
        return functional.batch_norm(y, None, None, scale, shift, True, 0.0, step.eps)

    def _weight(self, sharing: Sharing) -> Tensor:
        weight = self._shared(f"{sharing.name}.weight")
        if not (self.kernel_transforms and sharing.depthwise and sharing.kernel < weight.shape[2]):
            return slice_weight(weight, sharing)
        sizes = smaller_kernels(weight.shape[2])
        changes = {size: self._shared(f"{sharing.name}.change{size}") for size in sizes}
        return shrink(weight[: sharing.out_channels], sharing.kernel, changes)

    def _shared(self, name: str) -> Tensor:
        parameter = self._parameters[name.replace(".", "/")]
        assert parameter is not None
        return parameter

    def _add(self, name: str, value: Tensor) -> None:
        # torch allows no dots in the names of parameters.
        self.register_parameter(name.replace(".", "/"), nn.Parameter(value))


def _initial(sharing: Sharing, generator: torch.Generator) -> Tensor:
    """Draw a shared weight as `edgenas.nn.initialise` draws the largest member's."""
    if sharing.kernel == 0:
        return torch.randn(sharing.out_channels, sharing.in_channels, generator=generator) * CLASSIFIER_STD
    shape = (sharing.out_channels, sharing.in_channels, sharing.kernel, sharing.kernel)
    fan_out = sharing.kernel**2 * (1 if sharing.depthwise else sharing.out_channels)
    return torch.randn(shape, generator=generator) * math.sqrt(2 / fan_out)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.array(tensor.detach().cpu().float().numpy(), order="C")
