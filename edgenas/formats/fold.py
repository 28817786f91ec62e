"""Folding: batch norm into its convolution, activations into their producer, constant factors into the next layer.

Every file writer starts from the result. A value of the folded graph may be a known multiple of the original one
(`scale`). For example, a hard-sigmoid gate becomes relu6(x + 3), which is six times the original. The factor 1/6 goes
into the weights of the convolution that follows. Nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph, Op, TensorShape
from edgenas.arch.activations import activation
from edgenas.arch.weights import check_weights
from edgenas.formats.uniform import distinct, spread

GateForm = Literal["clip", "relu6"]
CLIP01 = "clip01"
"""The activation of a layer that ends in a clip to 0..1; only folding makes it."""
# The runtimes add up all pixels of a global average in plain float32, torch in a tree: over 150 x 150 pixels that is
# 1e-5 of the mean, which the 55 blocks of EfficientNet-B7 amplify above 1e-4 of the logits.
LARGEST_POOL_IN_ONE_STEP = 128 * 128


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedOp:
    """One operation of the folded graph.

    Attributes:
        op: The operation it came from; its name is this one's name.
        inputs: Names of the folded operations that feed it.
        source: Name of the original operation whose value it carries (the activation, where one was fused):
            the key of its calibrated range.
        activation: Fused into a conv or fc: one whose row says so (`edgenas.arch.activations`), `CLIP01`, or empty; of
            an `act` its own.
        scale: Its value divided by the original value.
        weight: Of a conv (out, in / groups, k, k) or fc (out, in), with everything folded in.
        bias: Of a conv or fc, (out,).
    """

    op: Op
    inputs: tuple[str, ...]
    source: str
    activation: str = ""
    scale: float = 1.0
    weight: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | None = None

    @property
    def name(self) -> str:
        """Name of the operation and of the tensor it makes."""
        return self.op.name

    @property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight and bias of an operation that has them."""
        assert self.weight is not None and self.bias is not None, self.name
        return self.weight, self.bias


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedGraph:
    """Folded operations in execution order; the first is the input, the last the logits."""

    ops: tuple[FoldedOp, ...]

    def by_name(self) -> dict[str, FoldedOp]:
        """Return the operations by name."""
        return {op.name: op for op in self.ops}


def pools_in_two_steps(source: TensorShape) -> bool:
    """Whether a floating-point file averages a map over each row and then over the rows, to keep rounding errors small.

    Args:
        source: The pooled map. All rows are equally long, so the mean of their means is the mean.
    """
    return source.height * source.width > LARGEST_POOL_IN_ONE_STEP


def fold(
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    *,
    gate: GateForm = "clip",
    late_factors: Collection[str] = (),
) -> FoldedGraph:
    """Fold batch norm, activations and constant factors.

    Args:
        graph: The network.
        weights: Its arrays under the names of `weight_shapes`.
        gate: What a hard sigmoid after a convolution becomes: `clip`, a clip to 0..1 with 1/6 and 1/2 in its own
            weights; or `relu6`, with 3 in its bias and 1/6 in the next convolution.
        late_factors: Names of activations whose constant factor moves to the next layer: of a hard-swish the writer
            then computes x * relu6(x + 3). The factor stays if the value is added to another.

    Returns:
        The folded graph.

    Raises:
        WeightsError: The weights do not fit the graph.
    """
    check_weights(graph, weights)
    return _Folder(graph, weights, gate, late_factors).run()


class _Folder:
    def __init__(
        self, graph: Graph, weights: Mapping[str, NDArray[np.float32]], gate: GateForm, late_factors: Collection[str]
    ) -> None:
        self.graph, self.weights, self.gate, self.late_factors = graph, weights, gate, late_factors
        self.made: dict[str, FoldedOp] = {}
        self.alias: dict[str, str] = {}
        self.readers: dict[str, list[Op]] = {}
        for op in graph.ops:
            for name in op.inputs:
                self.readers.setdefault(name, []).append(op)

    def run(self) -> FoldedGraph:
        for op in self.graph.ops:
            inputs = tuple(self.alias.get(name, name) for name in op.inputs)
            if op.kind == "act" and self._fuse(op, inputs[0]):
                continue
            self.made[op.name] = self._weighted(op, inputs) if op.weighted else self._plain(op, inputs)
        return FoldedGraph(ops=tuple(self.made.values()))

    def _weighted(self, op: Op, inputs: tuple[str, ...]) -> FoldedOp:
        given = self.weights[f"{op.name}.weight"]
        weight = distinct(given).astype(np.float64)
        if op.norm:
            gamma, beta, mean, variance = (
                self.weights[f"{op.name}.norm.{part}"].astype(np.float64)
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            factor = gamma / np.sqrt(variance + self.graph.norm_eps)
            weight, bias = weight * factor.reshape(-1, 1, 1, 1), beta - mean * factor
        else:
            bias = self.weights[f"{op.name}.bias"].astype(np.float64)
        weight = weight / self.made[inputs[0]].scale
        return FoldedOp(
            op=op,
            inputs=inputs,
            source=op.name,
            weight=spread(weight.astype(np.float32), given.shape),
            bias=bias.astype(np.float32),
        )

    def _plain(self, op: Op, inputs: tuple[str, ...]) -> FoldedOp:
        scale = 1.0
        for name in inputs:
            scale *= self.made[name].scale
        if op.kind in ("act", "add"):
            assert scale == 1.0, f"{op.name} takes a scaled value"
        if op.kind == "act" and op.name in self.late_factors and not self._added(op.name):
            scale = activation(op.activation).factor
        return FoldedOp(op=op, inputs=inputs, source=op.name, activation=op.activation, scale=scale)

    def _added(self, name: str) -> bool:
        """Whether the value reaches an addition or an activation before a layer with weights could take its factor."""
        return any(
            reader.kind in ("add", "act") or (not reader.weighted and self._added(reader.name))
            for reader in self.readers.get(name, [])
        )

    def _fuse(self, op: Op, name: str) -> bool:
        producer = self.made[name]
        if not producer.op.weighted or len(self.readers[op.inputs[0]]) != 1:
            return False
        form = activation(op.activation).fused
        if not form:
            return False
        producer = replace(producer, activation=op.activation) if form == "clip" else self._fuse_gate(producer, op.name)
        self.made[name] = replace(producer, source=op.name)
        self.alias[op.name] = name
        return True

    def _fuse_gate(self, producer: FoldedOp, gate_name: str) -> FoldedOp:
        weight, bias = producer.arrays
        if self.gate == "relu6" and not self._added(gate_name):
            return replace(producer, bias=bias + np.float32(3), activation="relu6", scale=6.0)
        return replace(
            producer,
            weight=weight / np.float32(6),
            bias=bias / np.float32(6) + np.float32(0.5),
            activation=CLIP01,
        )
