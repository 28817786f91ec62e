"""A torch module that runs a graph: the third back end beside the ONNX and the TFLite writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgenas.arch.architecture import Architecture
from edgenas.arch.block_names import current_names
from edgenas.arch.graph import Graph, Op
from edgenas.arch.lower import lower
from edgenas.arch.weights import Weights, check_weights
from edgenas.errors import InputError, explain
from edgenas.nn.activations import torch_forms
from edgenas.nn.initialise import initialise
from edgenas.nn.layers import Conv, Dense, Noise
from edgenas.nn.plan import Function, Step, plan, run_steps


class GraphModule(nn.Module):
    """A network as a torch module whose state is named as the weights contract says.

    Images go in as (N, C, H, W) floats, logits come out as (N, classes). In training mode it applies dropout before
    the classifier and stochastic depth on its residual blocks, both off by default. Gradients, `channels_last`,
    autocast, `torch.export` and tracing work as with any module.

    Attributes:
        architecture: What was built.
        graph: Its graph.
        dropout: Probability that a value before the classifier is zeroed.
        stochastic_depth: Probability that the last residual block is skipped; earlier ones linearly less.
        noise: Randomness of both; `noise.generator` is part of the state that an exact resume needs.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        generator: torch.Generator,
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        norm_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        _require_rates(dropout=dropout, stochastic_depth=stochastic_depth)
        self.architecture, self.graph = architecture, lower(architecture)
        self.dropout, self.stochastic_depth = dropout, stochastic_depth
        for op, sources in self.graph.with_inputs():
            if op.kind == "conv":
                conv = Conv(op, sources[0].shape.channels, eps=self.graph.norm_eps, momentum=norm_momentum)
                _attach(self, op.name, conv)
            elif op.kind == "fc":
                _attach(self, op.name, Dense(sources[0].shape.elements, op.shape.channels))
        initialise(self, generator)
        seed = int(torch.randint(2**62, (1,), generator=generator))
        self.noise = Noise(torch.Generator().manual_seed(seed))
        self._drop_rates = _drop_rates(self.graph)
        self._make_plan()

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, classes).

        Raises:
            InputError: A network with SAME padding gets images of another size, for which it would pad otherwise.
        """
        size = self.architecture.resolution
        if self.architecture.padding == "same" and tuple(x.shape[2:]) != (size, size):
            raise InputError(
                explain(
                    "a network with SAME padding takes images of its own resolution only",
                    got=f"{x.shape[2]} x {x.shape[3]}",
                    allowed=f"{size} x {size}",
                    remedy="Build it for the other resolution; the weights stay.",
                )
            )
        return run_steps(self._steps, x, self._layer)

    def activations(self, x: Tensor) -> Iterator[tuple[Op, Tensor]]:
        """Yield every operation with its result, in order; nothing is overwritten afterwards.

        Args:
            x: Images (N, C, H, W).

        Yields:
            The input first, the logits last; a fully connected result is (N, C), all others are (N, C, H, W).
        """
        slots: list[Tensor] = [x]
        yield self.graph.input, x
        for step in self._steps:
            values = [slots[index] for index in step.inputs]
            if step.op.kind == "act":
                slots.append(torch_forms(step.op.activation).function(*values))
            elif step.function is None:
                slots.append(self._layer(values[0], step))
            else:
                slots.append(step.function(*values))
            yield step.op, slots[-1]

    def weights(self) -> Weights:
        """Return copies of all weights as float32 arrays, named as the contract says."""
        return {name: tensor.detach().cpu().float().numpy().copy() for name, tensor in self.state_dict().items()}

    @torch.no_grad()
    def load_weights(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Take in weights, all of them.

        Raises:
            WeightsError: They are not those of this network; says which layer. Nothing is changed then.
        """
        check_weights(self.graph, weights)
        for name, tensor in self.state_dict().items():
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(weights[name])))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        # States of older versions name blocks after the grouping into stages. torch hands a copy of the state, and
        # takes from it what the layers get.
        own = {name: value for name, value in state_dict.items() if name.startswith(prefix)}
        named = current_names(self.architecture, {name.removeprefix(prefix): value for name, value in own.items()})
        for name in own:
            del state_dict[name]
        state_dict.update({f"{prefix}{name}": value for name, value in named.items()})
        super()._load_from_state_dict(state_dict, prefix, *args)  # type: ignore[no-untyped-call]

    def __getstate__(self) -> dict[str, object]:
        # The plan is bound to this module's own layers; a copy must make its own.
        return {name: value for name, value in self.__dict__.items() if name not in ("_steps", "_layers")}

    def __setstate__(self, state: dict[str, object]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._make_plan()

    def _make_plan(self) -> None:
        self._layers = {op.name: self.get_submodule(op.name) for op in self.graph.ops if op.weighted}
        self._steps = tuple(
            step._replace(function=self._add(self._drop_rates[step.op.name])) if step.op.kind == "add" else step
            for step in plan(self.graph)
        )

    def _layer(self, x: Tensor, step: Step) -> Tensor:
        if self.training and self.dropout and step.op is self.graph.output:
            x = self.noise.dropout(x, self.dropout)
        result: Tensor = self._layers[step.op.name](x)
        return result

    def _add(self, share: float) -> Function:
        def add(branch: Tensor, source: Tensor) -> Tensor:
            if self.training and self.stochastic_depth and share:
                branch = self.noise.drop_branch(branch, share * self.stochastic_depth)
            return branch + source

        return add


def build(
    architecture: Architecture,
    *,
    generator: torch.Generator | None = None,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    norm_momentum: float = 0.1,
) -> GraphModule:
    """Build the torch module of an architecture with initial weights.

    Args:
        architecture: What to build.
        generator: Source of the initial weights and of the noise in training; seed 0 where none is given.
        dropout: Probability that a value before the classifier is zeroed in training, [0, 1).
        stochastic_depth: Probability that the last residual block is skipped in training, [0, 1).
        norm_momentum: Weight of a new batch in batch norm's running statistics.

    Raises:
        InputError: A rate is not in [0, 1).
    """
    return GraphModule(
        architecture,
        generator=generator or torch.Generator().manual_seed(0),
        dropout=dropout,
        stochastic_depth=stochastic_depth,
        norm_momentum=norm_momentum,
    )


def _require_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise InputError(explain(f"impossible {name}", got=rate, allowed="0 or more, below 1"))


def _attach(root: nn.Module, name: str, layer: nn.Module) -> None:
    """Add a layer under a dotted name, making the plain modules between."""
    *path, last = name.split(".")
    for part in path:
        child = root._modules.get(part)
        if child is None:
            child = nn.Module()
            root.add_module(part, child)
        root = child
    root.add_module(last, layer)


def _drop_rates(graph: Graph) -> dict[str, float]:
    """Share of the final rate at which each residual branch is dropped: linear in depth (Huang 2016, eq. 4)."""
    blocks = list(dict.fromkeys(op.block for op in graph.ops if op.block.startswith("stages.")))
    depth = {block: (index + 1) / len(blocks) for index, block in enumerate(blocks)}
    return {op.name: depth[op.block] for op in graph.ops if op.kind == "add"}
