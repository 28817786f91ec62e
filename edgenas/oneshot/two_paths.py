"""Two paths through a supernet at once: what would the other choice do at each place?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from edgenas.nn.plan import run_steps
from edgenas.oneshot.distribution import GenePair
from edgenas.supernet.path import Path, Step, at_resolution
from edgenas.supernet.supernet import Supernet
from edgenas.types import Genes

Block = tuple[Step, ...]


class TwoPaths:
    """Runs the first of two networks and, at every place, the second's block on the first's input.

    Results are mixed by gates of 1 and 0 that carry the gradient of the relaxed choice. So the loss is that of the
    first network. One backward pass gives, at every place and to first order, the change of the loss by the second
    network's choice (ProxylessNAS, Cai 2019, section 3.2.1: two sampled paths and binary gates). One path alone cannot
    give it. The gate of a normalised branch acts like the scale of its norm, and the gradient of that scale vanishes
    once the weights are trained.

    Choices of a block, choices of all blocks of a stage, and depths have a place. Choices of the whole network (width,
    resolution, a stage's channels) have none. Choices of stages with skips have none either: a skip moves the later
    blocks of its stage to other slots.

    Attributes:
        placeless: Indices of genes without a place; both networks take the first's choices there.
    """

    def __init__(self, supernet: Supernet) -> None:
        space = supernet.space
        self._supernet = supernet
        fixed = {f"stages.{index}" for index, stage in enumerate(space.definition.stages) if "skip" in stage.kind}
        self._genes: dict[str, list[int]] = {}
        self._depths: dict[int, int] = {}
        placeless = []
        for gene, name in enumerate(space.gene_names):
            owner, _, choice = name.rpartition(".")
            if not owner or choice == "out" or ".".join(owner.split(".")[:2]) in fixed:
                placeless.append(gene)
            elif choice == "depth":
                self._depths[int(owner.split(".")[1])] = gene
            else:
                self._genes.setdefault(owner, []).append(gene)
        self.placeless = tuple(placeless)

    def logits(self, images: Tensor, pair: GenePair) -> Tensor:
        """Map images (N, C, H, W) to the first network's logits (N, classes), differentiable in the pair's odds."""
        second = pair.second.copy()
        second[list(self.placeless)] = pair.first[list(self.placeless)]
        path = self._supernet.path(pair.first)
        counts = np.array([self._counts(pair.first), self._counts(second)])
        # Every stage runs the blocks of the deeper of the two networks, so that both depths can be compared.
        ours, theirs = (
            _blocks(self._supernet.path(self._with_depths(genes, pair.first, second, counts)))
            for genes in (pair.first, second)
        )
        x = self._run(ours[0], at_resolution(images, path.resolution))
        start = 1
        for stage, (depth, other_depth) in enumerate(counts.T.tolist()):
            both = list(zip(ours, theirs, strict=True))[start : start + max(depth, other_depth)]
            start += len(both)
            outputs = self._outputs(stage, x, pair, both, depth)
            x = outputs[depth - 1]
            if depth != other_depth:
                x = _mix(x, outputs[other_depth - 1], pair.odds[self._depths[stage]])
        return self._run(ours[-1], x)

    def _outputs(
        self, stage: int, x: Tensor, pair: GenePair, both: Sequence[tuple[Block, Block]], depth: int
    ) -> list[Tensor]:
        """Run a stage's blocks. Blocks beyond the first network's depth run without a gradient."""
        outputs = []
        for index, (ours, theirs) in enumerate(both):
            if index >= depth:
                with torch.no_grad():
                    x = self._run(ours, x)
            else:
                x = self._block(x, ours, theirs, pair, self._different(stage, index, pair))
            outputs.append(x)
        return outputs

    def _block(
        self, x: Tensor, ours: Block, theirs: Block, pair: GenePair, genes: Sequence[int]
    ) -> Tensor:
        first = self._run(ours, x)
        if not genes:
            return first
        with torch.no_grad():
            second = self._run(theirs, x)
        return _mix(first, second, pair.odds[list(genes)].sum())

    def _different(self, stage: int, index: int, pair: GenePair) -> list[int]:
        """Genes of a block, and of all blocks of its stage, whose choices differ."""
        genes = self._genes.get(f"stages.{stage}.{index}", []) + self._genes.get(f"stages.{stage}", [])
        return [gene for gene in genes if pair.first[gene] != pair.second[gene]]

    def _with_depths(self, genes: Genes, first: Genes, second: Genes, counts: np.ndarray) -> Genes:
        result = genes.copy()
        for stage, gene in self._depths.items():
            result[gene] = (first, second)[int(counts[:, stage].argmax())][gene]
        return result

    def _counts(self, genes: Genes) -> list[int]:
        """Blocks of every stage of a network."""
        return list(self._supernet.path(genes).depths)

    def _run(self, steps: tuple[Step, ...], x: Tensor) -> Tensor:
        return run_steps(steps, x, self._supernet.layer, first=steps[0].inputs[0])


def _blocks(path: Path) -> list[Block]:
    """Split the steps of a network into the stem, the blocks in order, and the head."""
    return [tuple(steps) for _, steps in groupby(path.steps, key=lambda step: step.op.block)]


def _mix(first: Tensor, second: Tensor, odds: Tensor) -> Tensor:
    """Return the first value, with the gradient of a mixture by the odds of the first over the second."""
    share = torch.sigmoid(odds)
    gain = share - share.detach()
    return first * (1 + gain) - second.detach() * gain
