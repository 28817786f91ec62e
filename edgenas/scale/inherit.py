"""Weights for a scaled network from those of the network that it was made of.

A larger network begins as the smaller one: added channels are read with weights of zero (as in Chen 2016, Net2Net, the
results stay), and an added block with a residual addition adds nothing yet, since its last norm's scale is zero. A
smaller network takes leading blocks and leading channels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from edgenas.arch.architecture import Architecture
from edgenas.arch.graph import Op
from edgenas.arch.lower import lower
from edgenas.arch.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """Which layers of a scaled network have the weights of the network that it was made of.

    Attributes:
        whole: Layers that took all of them.
        leading: Layers with other channels: the first ones are theirs.
        identity: Blocks that are added, and pass on what comes in at first.
        fresh: Layers that were drawn anew.
    """

    whole: tuple[str, ...]
    leading: tuple[str, ...]
    identity: tuple[str, ...]
    fresh: tuple[str, ...]

    def to_dict(self) -> dict[str, list[str]]:
        """Return plain values for JSON."""
        return {name: list(names) for name, names in asdict(self).items()}

    def __str__(self) -> str:
        return (
            f"{len(self.whole)} layers inherited whole, {len(self.leading)} by leading channels, "
            f"{len(self.identity)} blocks added as identities, {len(self.fresh)} layers drawn anew"
        )


def inherit(
    before: Architecture, weights: Weights, after: Architecture, fresh: Weights
) -> tuple[Weights, Inheritance]:
    """Give a scaled network the weights that fit.

    Args:
        before: The network that was scaled.
        weights: Its weights.
        after: What scaling made of it.
        fresh: Initial weights of that; changed nowhere.

    Returns:
        Weights of `after`, and where they come from. At the same resolution a larger network computes what `before`
        computes, if all added blocks have a residual addition.
    """
    old = {op.name: op for op in lower(before).ops if op.weighted}
    skips = {
        f"stages.{stage}.{index}": block.skip
        for stage, entry in enumerate(after.stages) for index, block in enumerate(entry.blocks)
    }  # fmt: skip
    found = {name: array.copy() for name, array in fresh.items()}
    lists: dict[str, list[str]] = {"whole": [], "leading": [], "identity": [], "fresh": []}
    known = {op.block for op in old.values()}
    ops = [op for op in lower(after).ops if op.weighted]
    for op in ops:
        parts = [name for name in fresh if name.rpartition(".")[0] in (op.name, f"{op.name}.norm")]
        if op.block not in known and skips.get(op.block):
            if _last_of_block(op, ops):
                found[f"{op.name}.norm.weight"][:] = 0
                lists["identity"].append(op.block)
        elif op.name not in old or old[op.name].kernel != op.kernel:
            lists["fresh"].append(op.name)
        else:
            same = all(weights[name].shape == found[name].shape for name in parts)
            for name in parts:
                _copy_leading(weights[name], found[name])
            lists["whole" if same else "leading"].append(op.name)
    return found, Inheritance(**{name: tuple(names) for name, names in lists.items()})


def _last_of_block(op: Op, ops: list[Op]) -> bool:
    return op.norm and [other.name for other in ops if other.block == op.block][-1] == op.name


def _copy_leading(theirs: np.ndarray, ours: np.ndarray) -> None:
    """Copy the channels that both have; what reads an added channel for a channel that was there reads nothing."""
    out = min(len(theirs), len(ours))
    if ours.ndim == 1:
        ours[:out] = theirs[:out]
        return
    coming = min(theirs.shape[1], ours.shape[1])
    ours[:out] = 0
    ours[:out, :coming] = theirs[:out, :coming]
