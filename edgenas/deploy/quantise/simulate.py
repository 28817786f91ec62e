"""The int8 network in torch: every rounding of the files, differentiable, to be switched off for each operation.

It serves to find the operations that lose accuracy, to correct biases, and to fine-tune with rounding. The shipped file
is always evaluated on its runtime, never here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgenas.arch import Graph
from edgenas.formats import FoldedGraph, FoldedOp, Ranges, fold
from edgenas.formats.fold import CLIP01
from edgenas.formats.quantise import Affine, affine, range_of
from edgenas.nn.activations import torch_forms
from edgenas.nn.layers import convolve


def _straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """Value of `rounded`, gradient of `x` (Bengio 2013)."""
    return x + (rounded - x).detach()


def fake_quantise(x: Tensor, parameters: Affine) -> Tensor:
    """Round to 256 codes; the gradient passes where nothing saturates."""
    step, zero = parameters
    inside = x.clamp(-zero * step, (255 - zero) * step)
    return _straight_through(inside, torch.round(inside / step) * step)


def fake_quantise_weight(weight: Tensor, *, limit: int = 127) -> Tensor:
    """Round weights to codes of -limit to limit with one step for each output channel."""
    rows = weight.detach().abs().flatten(1).amax(1).clamp_min(1e-12) / limit
    steps = rows.reshape(-1, *[1] * (weight.dim() - 1))
    return _straight_through(weight, torch.round(weight / steps) * steps)


class Simulator(nn.Module):
    """A folded network in torch with switchable rounding.

    As in the files, a value is rounded where an operation on integers makes it or reads it.

    Attributes:
        folded: The network, folded as for ONNX.
        quantised: Names of the operations that round; all but `float_ops` at first.
        weight_limit: Largest weight code of the file format.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, NDArray[np.float32]],
        ranges: Ranges,
        *,
        float_ops: Collection[str] = (),
        weight_limit: int = 127,
    ) -> None:
        super().__init__()
        self.weight_limit = weight_limit
        self.folded: FoldedGraph = fold(graph, weights, gate="clip")
        self.affines = {op.name: affine(range_of(op, ranges)) for op in self.folded.ops}
        self.quantised = {op.name for op in self.folded.ops} - set(float_ops)
        self.arrays = nn.ParameterDict()
        for op in self.folded.ops:
            if op.op.weighted:
                weight, bias = op.arrays
                self.arrays[_key(op, "weight")] = nn.Parameter(torch.from_numpy(weight.copy()))
                self.arrays[_key(op, "bias")] = nn.Parameter(torch.from_numpy(bias.copy()))
        self._last_reader = {name: op.name for op in self.folded.ops for name in op.inputs}

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, K)."""
        *_, (_, logits) = self.values(images)
        return logits

    def values(self, images: Tensor) -> Iterator[tuple[FoldedOp, Tensor]]:
        """Yield every operation with its result. Values that nobody reads any more are freed."""
        live: dict[str, Tensor] = {}
        for op in self.folded.ops:
            live[op.name] = self.apply_op(op, self.read(op, live) or [images])
            yield op, live[op.name]
            for name in op.inputs:
                if self._last_reader[name] == op.name:
                    live.pop(name, None)

    def read(self, op: FoldedOp, live: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the inputs of an operation, rounded where it works on integers."""
        if op.name not in self.quantised:
            return [live[name] for name in op.inputs]
        return [
            live[name] if name in self.quantised else fake_quantise(live[name], self.affines[name])
            for name in op.inputs
        ]

    def apply_op(self, op: FoldedOp, inputs: list[Tensor]) -> Tensor:
        """Compute one operation, rounding its weights and its result where it is quantised."""
        rounds = op.name in self.quantised
        result = _fused(op, self.linear(op, inputs)) if op.op.weighted else _join(op, inputs, rounds)
        # The files give the logits as floats (ONNX) or rounded finely (TFLite): no rounding here.
        return fake_quantise(result, self.affines[op.name]) if rounds and op is not self.folded.ops[-1] else result

    def linear(self, op: FoldedOp, inputs: list[Tensor]) -> Tensor:
        """The conv or fc before its activation."""
        weight, bias = self.arrays[_key(op, "weight")], self.arrays[_key(op, "bias")]
        if op.name in self.quantised:
            weight = fake_quantise_weight(weight, limit=self.weight_limit)
        if op.op.kind == "fc":
            return functional.linear(inputs[0].flatten(1), weight, bias)
        return convolve(
            inputs[0], weight, bias, stride=op.op.stride, padding=op.op.padding, groups=op.op.groups
        )

    def bias_of(self, op: FoldedOp) -> nn.Parameter:
        """Bias of a conv or fc, to be corrected."""
        return self.arrays[_key(op, "bias")]

    def weights(self, graph: Graph) -> dict[str, NDArray[np.float32]]:
        """Return the weights under the names of the graph; norms become identities but for their bias."""
        arrays: dict[str, NDArray[np.float32]] = {}
        for op in self.folded.ops:
            if op.op.weighted:
                arrays.update(self._unfolded(op, graph.norm_eps))
        return arrays

    def _unfolded(self, op: FoldedOp, norm_eps: float) -> dict[str, NDArray[np.float32]]:
        weight = self.arrays[_key(op, "weight")].detach().numpy().copy()
        bias = self.arrays[_key(op, "bias")].detach().numpy().copy()
        if op.activation == CLIP01:
            weight, bias = weight * 6, (bias - np.float32(0.5)) * 6
        if not op.op.norm:
            return {f"{op.name}.weight": weight, f"{op.name}.bias": bias}
        one = np.ones_like(bias)
        return {
            f"{op.name}.weight": weight,
            f"{op.name}.norm.weight": one,
            f"{op.name}.norm.bias": bias,
            f"{op.name}.norm.running_mean": 0 * one,
            f"{op.name}.norm.running_var": one * np.float32(1 - norm_eps),
        }


def _key(op: FoldedOp, part: str) -> str:
    # ParameterDict keys must not hold dots.
    return f"{op.name}.{part}".replace(".", "/")


def _join(op: FoldedOp, inputs: list[Tensor], rounds: bool) -> Tensor:
    if op.op.kind == "input":
        return inputs[0]
    if op.op.kind == "pool":
        return inputs[0].mean((2, 3), keepdim=True)
    if op.op.kind == "mul":
        return inputs[0] * inputs[1]
    if op.op.kind == "add":
        return inputs[0] + inputs[1]
    forms = torch_forms(op.activation)
    if rounds and forms.rounded is not None:
        return forms.rounded(inputs[0], lambda x, low, high: fake_quantise(x, affine((low, high))))
    return forms.function(inputs[0])


def _fused(op: FoldedOp, linear: Tensor) -> Tensor:
    """What a layer gives, from its value before its activation."""
    if op.activation == CLIP01:
        return linear.clamp(0, 1)
    return torch_forms(op.activation).function(linear) if op.activation else linear
