"""Size and memory of the file that ships, for single networks to the byte and for populations beforehand.

A network's own values come from its file, which is written without trained weights. For a population they are
estimated: the size by a linear model of what the network is made of, the memory by what is alive at once. Both models
are compared with some networks of the space. Where an estimate lies so near a limit that its error decides, the file is
written. So the margin to a limit has the right sign for every candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture, lower
from edgenas.pipeline.search.composition import Composition
from edgenas.pipeline.search.planned import planned_memory
from edgenas.types import Floats, Genes

if TYPE_CHECKING:
    from edgenas.deploy import FileSpec
    from edgenas.space import SearchSpace

_LOOKED_AT = 48
_MOST_WRITTEN = 128
"""Files that are written for one question; of more networks near a limit the cautious bound decides."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shipped:
    """What is sized.

    Attributes:
        file: Of the recipe, for the target; its size is limited.
        planned: The TFLite file whose memory is planned; None where no memory is asked for.
        runtime: Whose plan; a name of `edgenas.formats.arena.ARENAS`, or empty.
        preprocessing: Plain values, stored in the file.
        labels: Names of the classes, likewise.
        licence: Of the weights, likewise.
    """

    file: FileSpec
    planned: FileSpec | None
    runtime: str
    preprocessing: Mapping[str, Any]
    labels: tuple[str, ...]
    licence: str = ""

    def file_bytes(self, network: Architecture) -> int:
        """Size of the file of a network."""
        from edgenas.deploy.shipping import shipped_bytes

        return shipped_bytes(
            network, self.file, preprocessing=self.preprocessing, labels=self.labels, licence=self.licence
        )

    def ram_bytes(self, network: Architecture) -> int:
        """Memory planned for the activations of a network."""
        from edgenas.deploy.shipping import shipped_arena

        assert self.planned is not None
        return shipped_arena(network, self.planned, self.runtime)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Estimate:
    """Values of a population, and how far the true ones may lie below and above, as shares."""

    values: Callable[[Genes], Floats]
    below: float
    above: float


class SizeModel:
    """Sizes of a space's networks.

    Attributes:
        metrics: Those that are known: `file_bytes`, `ram_bytes`.
    """

    def __init__(
        self,
        space: SearchSpace,
        shipped: Shipped,
        *,
        metrics: Sequence[str],
        limits: Mapping[str, float],
        seed: int,
    ) -> None:
        """Fit the estimates on some networks of the space.

        Args:
            space: The space.
            shipped: What is sized.
            metrics: `file_bytes`, `ram_bytes` or both.
            limits: Largest allowed values by metric, where there are some.
            seed: Draws the networks.
        """
        self._space, self._limits, self.metrics = space, limits, tuple(metrics)
        own = {"file_bytes": shipped.file_bytes, "ram_bytes": shipped.ram_bytes}
        self._own: dict[str, Callable[[Architecture], int]] = {name: own[name] for name in self.metrics}
        self._known: dict[tuple[str, str], int] = {}
        genes = space.canonical(space.sample(_LOOKED_AT, np.random.default_rng(seed)))
        self._genes = np.concatenate([np.stack([space.smallest(), space.largest()]), genes])
        made = {"file_bytes": self._file, "ram_bytes": lambda: self._ram(shipped)}
        self._estimates = {name: made[name]() for name in self.metrics}

    def exact(self, network: Architecture) -> dict[str, int]:
        """Return the values of one network by metric, from its file."""
        return {name: self._exact(name, network) for name in self.metrics}

    def values(self, metric: str, genes: Genes) -> Floats:
        """Return values (N,) of networks (N, D): estimates, exact where they lie near the limit of the metric."""
        estimate = self._estimates[metric]
        values = np.asarray(estimate.values(genes), dtype=np.float64)
        if metric not in self._limits:
            return values
        limit = self._limits[metric]
        near = np.flatnonzero((values * (1 - estimate.below) <= limit) & (values * (1 + estimate.above) > limit))
        if len(near) > _MOST_WRITTEN:
            values[near] *= 1 + estimate.above
            return values
        values[near] = [self._exact(metric, self._space.decode(code)) for code in genes[near]]
        return values

    def smallest(self, metric: str, genes: Genes) -> int:
        """Return the row of the network (N, D) with the smallest value, by the files of the likeliest ones."""
        order = np.argsort(self._estimates[metric].values(genes), kind="stable")[:8]
        return int(min(order, key=lambda row: self._exact(metric, self._space.decode(genes[row]))))

    def _exact(self, metric: str, network: Architecture) -> int:
        key = metric, network.digest
        if key not in self._known:
            self._known[key] = self._own[metric](network)
        return self._known[key]

    def _networks(self) -> list[Architecture]:
        return [self._space.decode(code) for code in self._genes]

    def _file(self) -> _Estimate:
        networks = self._networks()
        made_of = Composition.of(self._space, [lower(network) for network in networks])
        truth = np.array([self._exact("file_bytes", network) for network in networks], dtype=np.float64)
        predict = made_of.fitted(self._genes, truth)
        return _with_errors(predict, self._genes, truth)

    def _ram(self, shipped: Shipped) -> _Estimate:
        networks = self._networks()
        truth = np.array([self._exact("ram_bytes", network) for network in networks], dtype=np.float64)
        assert shipped.planned is not None
        planned = planned_memory(self._space, shipped.planned, shipped.runtime)
        # What a runtime keeps beside the plan is a sum over the operators.
        made_of = Composition.of(self._space, [lower(network) for network in networks])
        rest = made_of.fitted(self._genes, np.maximum(truth - planned(self._genes), 0.0))

        def predict(genes: Genes) -> Floats:
            kept = rest(genes) if shipped.runtime == "tflite_micro" else 0.0
            return np.asarray(planned(genes) + kept, dtype=np.float64)

        return _with_errors(predict, self._genes, truth)


def _with_errors(predict: Callable[[Genes], Floats], genes: Genes, truth: NDArray[np.float64]) -> _Estimate:
    """Allow twice the largest error that was seen, and half a percent."""
    ratio = truth / predict(genes)
    below, above = 2 * max(0.0, 1 - float(ratio.min())), 2 * max(0.0, float(ratio.max()) - 1)
    return _Estimate(values=predict, below=min(0.9, below + 0.005), above=above + 0.005)
