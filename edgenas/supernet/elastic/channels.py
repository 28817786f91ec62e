"""Sorting shared channels by importance, so that members that take the first ones take the important ones.

Sorting moves whole channels of everything that writes and reads them. So the largest member computes what it computed
before (Cai 2020, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from edgenas.arch.graph import Op
from edgenas.arch.lower import lower
from edgenas.space import SearchSpace
from edgenas.supernet.elastic.importance import Importance
from edgenas.supernet.shapes import block_alone, sharings
from edgenas.supernet.supernet import Supernet

Order: TypeAlias = Tensor
"""Numbers of channels (C,), the first to stand first."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Channels that must be moved together.

    Attributes:
        written: Names of the shared weights whose results they are, depthwise ones too.
        read: Names of the shared weights that read them, without depthwise ones.
    """

    written: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)


class _Groups:
    """Groups of channels that an addition, a gate or a depthwise convolution ties together."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self.fixed: set[str] = set()
        self.written: dict[str, str] = {}
        self.read: dict[str, str] = {}

    def find(self, key: str) -> str:
        while (above := self._parent.setdefault(key, key)) != key:
            key = above
        return key

    def tie(self, one: str, other: str) -> None:
        self._parent[self.find(one)] = self.find(other)

    def walk(self, steps: Iterable[tuple[Op, tuple[Op, ...], str]], known: dict[str, str]) -> str:
        """Follow channels through operations.

        Args:
            steps: Operations, what feeds them, and the names of their shared weights (empty for none).
            known: Group of the result of each operation, by its name; filled.

        Returns:
            The group of the last result.
        """
        last = ""
        for op, sources, name in steps:
            coming = [known[source.name] for source in sources]
            if op.weighted and not op.depthwise:
                last = f"made by {name}"
                self.read[name] = coming[0]
            else:
                last = coming[0]
                for other in coming[1:]:
                    self.tie(last, other)
            if op.weighted:
                self.written[name] = last
            known[op.name] = last
        return last


def channel_groups(space: SearchSpace) -> tuple[Channels, ...]:
    """Find which channels of a supernet must be moved together.

    Args:
        space: Of the supernet.

    Returns:
        The groups that can be sorted: without the images' channels and the classes.
    """
    groups = _Groups()
    _walk_ends(groups, space)
    for stage, index in space.grid:
        for channels, block in space.blocks_at(stage, index):
            graph, place = block_alone(channels, block, stage, index)
            names = [sharing.name if sharing else "" for sharing in sharings(graph, {"stages.0.0": place})]
            steps = [
                (op, sources, name)
                for (op, sources), name in zip(graph.with_inputs(), names, strict=True)
                if op.block == "stages.0.0"
            ]
            entry = f"stage {stage if index else stage - 1}"
            known = {source.name: entry for _, sources, _ in steps for source in sources}
            groups.tie(groups.walk(steps, known), f"stage {stage}")
    return _collected(groups)


def _walk_ends(groups: _Groups, space: SearchSpace) -> None:
    graph = lower(space.decode(space.largest()))
    names = [sharing.name if sharing else "" for sharing in sharings(graph, {})]
    steps = [(op, sources, name) for (op, sources), name in zip(graph.with_inputs(), names, strict=True)]
    groups.fixed |= {"images", f"made by {names[-1]}"}
    stem = [step for step in steps if step[0].block == "stem"]
    groups.tie(groups.walk(stem, {source.name: "images" for _, sources, _ in stem for source in sources}), "stage -1")
    head = [step for step in steps if step[0].block == "head"]
    groups.walk(head, {source.name: f"stage {len(space.stages) - 1}" for _, sources, _ in head for source in sources})


def _collected(groups: _Groups) -> tuple[Channels, ...]:
    found: dict[str, Channels] = {}
    for name, key in groups.written.items():
        found.setdefault(groups.find(key), Channels()).written.append(name)
    for name, key in groups.read.items():
        found.setdefault(groups.find(key), Channels()).read.append(name)
    fixed = {groups.find(key) for key in groups.fixed}
    return tuple(group for key, group in found.items() if key not in fixed)


@torch.no_grad()
def importance_of(group: Channels, weights: Mapping[str, Tensor], measure: Importance) -> Tensor:
    """Return how important each channel (C,) of a group is.

    Args:
        group: The channels.
        weights: Shared weights by name.
        measure: "l1" or "l2": the norm of what reads the channel (Cai 2020: l1); "gamma": the scale of the batch norms
            that write it (Liu 2017); "l1_gamma": the product of l1 and gamma, since the scale multiplies what is read.
    """
    if measure in ("l1", "l2"):
        return _sum(_norm(weights[f"{name}.weight"], measure) for name in group.read)
    scales = [weights[f"{name}.norm.weight"].abs() for name in group.written if f"{name}.norm.weight" in weights]
    if measure == "gamma" and scales:
        return _sum(scales)
    reads = importance_of(group, weights, "l1")
    return reads * _sum(scales) if scales else reads


def _norm(weight: Tensor, measure: Importance) -> Tensor:
    flat = weight.transpose(0, 1).flatten(1)
    return flat.abs().sum(1) if measure == "l1" else flat.square().sum(1).sqrt()


def _sum(parts: Iterable[Tensor]) -> Tensor:
    """Add importances, each divided by its mean, so that none dominates the others."""
    return torch.stack([part / part.mean().clamp_min(1e-12) for part in parts]).sum(0)


def sort_channels(
    supernet: Supernet, measure: Importance, *, beside: Callable[[str], Iterable[Tensor]] = lambda name: ()
) -> None:
    """Sort every group of channels, the most important first. The largest member computes what it did before.

    Args:
        supernet: Changed in place.
        measure: See `importance_of`; "none" changes nothing.
        beside: Tensors that lie like the shared weight of a name, and are sorted like it: moments of an optimiser, an
            average.
    """
    weights = supernet.shared_weights()
    for group in () if measure == "none" else channel_groups(supernet.space):
        sizes = {supernet.shared[name].out_channels for name in group.written}
        sizes |= {supernet.shared[name].in_channels for name in group.read}
        # Where members write one stream with different numbers of channels, no order serves all.
        if len(sizes) == 1 and group.read:
            order = importance_of(group, weights, measure).argsort(descending=True, stable=True)
            _move(group, weights, order, beside)


@torch.no_grad()
def _move(
    group: Channels, weights: Mapping[str, Tensor], order: Order, beside: Callable[[str], Iterable[Tensor]]
) -> None:
    for name in group.written:
        for part in ("weight", "bias", "norm.weight", "norm.bias"):
            if (full := f"{name}.{part}") in weights:
                for tensor in (weights[full], *beside(full)):
                    tensor.copy_(tensor.index_select(0, order.to(tensor.device)))
    for name in group.read:
        for tensor in (weights[f"{name}.weight"], *beside(f"{name}.weight")):
            tensor.copy_(tensor.index_select(1, order.to(tensor.device)))
