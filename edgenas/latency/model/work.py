"""The amounts of work that a unit's time consists of, and the trend that estimates unmeasured units from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from edgenas.arch.activations import activation
from edgenas.latency.units import Unit
from edgenas.types import Floats

# Layouts, gates and fusions make the same arithmetic cost differently; activations differ in their arithmetic.
# Keeps rates finite that no measurement can tell apart. It is far below the noise of a measurement.
# Chosen, not measured: small enough to leave measured rates alone.
_PULL = 0.02
# Channels of a block in ONNX Runtime's NCHWc layout with AVX512: on such machines widths that are multiples of 16 were
# seen to stay in it.
_BLOCK = 16
# Units that are described once. A fit is repeated for each part that is left out, with the same units.
# Chosen, not measured: more than the 11,618 blocks of the largest space that was built.
_CACHED = 1 << 16
# A fact: colour images, whose stem the runtimes treat apart.
_IMAGE_CHANNELS = 3


@lru_cache(maxsize=_CACHED)
def group(unit: Unit) -> str:
    """Kernels of one group scale alike: the kind, for depthwise also kernel and stride."""
    return f"{unit.kind}{unit.kernel}s{unit.stride}" if unit.kind in ("depthwise", "conv") else unit.kind


def kind_of(name: str) -> str:
    """Return the kind of the units of a group: `depthwise` of `depthwise5s2`."""
    return re.sub(r"\d+s\d+$", "", name)


@lru_cache(maxsize=_CACHED)
def work(unit: Unit) -> Floats:
    """Amounts (7,) of work that a unit's time is a non-negative combination of, within its group.

    In order: one call, multiply-accumulates of whole channel blocks, weights, values read, values written, values
    through a costly activation, values that change layout around a squeeze-excite.
    """
    moved = (unit.source.elements if unit.gated else 0) + (unit.result.elements if unit.pooled else 0)
    return np.array(
        [
            2e4,
            _computed(unit),
            unit.weights,
            unit.source.elements,
            unit.result.elements * (2 if unit.residual else 1),
            unit.result.elements if _activation_cost(unit) else 0,
            moved,
        ],
        dtype=np.float64,
    )


@lru_cache(maxsize=_CACHED)
def position(unit: Unit) -> Floats:
    """Coordinates (11,) in which near units have similar efficiency: logarithms of sizes, and flags."""
    before, after = unit.source.channels, unit.result.channels
    # Kernels work on blocks of channels. A block that is not full is computed in vain, or by another kernel.
    shape = (before, after, unit.result.height * unit.result.width, _blocks(before) / before, _blocks(after) / after)
    switches = (
        unit.kernel / 2.0,
        float(unit.stride),
        float(unit.residual) * 0.5,
        float(unit.gated or unit.pooled) * 0.5,
        float(unit.same) * 0.5,
        _activation_cost(unit),
    )
    return np.concatenate([np.log2(shape), switches])


def _activation_cost(unit: Unit) -> float:
    return activation(unit.activation).cost if unit.activation else 0.0


def _blocks(channels: int) -> int:
    """Channels rounded up to whole vector blocks."""
    return -(-channels // _BLOCK) * _BLOCK


def _computed(unit: Unit) -> float:
    """Multiply-accumulates that kernels really compute: whole blocks of channels, in and out."""
    before, after = unit.source.channels, unit.result.channels
    share = _blocks(after) / after
    # Depthwise kernels have one input per output; a stem's few channels have a kernel of their own.
    if unit.kind in ("pointwise", "conv") and before > _IMAGE_CHANNELS:
        share *= _blocks(before) / before
    return unit.macs * share


class Trend:
    """Non-negative rates of work by group, fitted to times of units or to sums over networks.

    Attributes:
        rates: (7,) rate per amount of `work`, by group.
    """

    def __init__(self, rates: dict[str, Floats]) -> None:
        self.rates = rates

    @classmethod
    def fit(cls, units: Sequence[Unit], times: Floats, *, counts: Floats | None = None) -> Trend:
        """Fit rates so that counts @ trend is close to the times, relatively.

        Args:
            units: (U,) units.
            times: (n,) sums over units, positive; (U,) times of the units themselves without `counts`.
            counts: (n, U) how often each sum contains each unit.
        """
        groups = sorted({group(unit) for unit in units})
        amounts = np.array([work(unit) for unit in units])
        member = np.array([groups.index(group(unit)) for unit in units])
        design = np.zeros((len(times), len(groups), amounts.shape[1]))
        for index in range(len(groups)):
            own = member == index
            if counts is None:
                design[own, index] = amounts[own]
            else:
                design[:, index] = counts[:, own] @ amounts[own]
        rates = _non_negative(design.reshape(len(times), -1), times).reshape(len(groups), -1)
        return cls({name: rates[index] for index, name in enumerate(groups)})

    def times(self, units: Sequence[Unit]) -> Floats:
        """Trend times (U,) of units; NaN for a group that was never seen."""
        unseen = np.full(7, np.nan)
        return np.array([float(work(unit) @ self.rates.get(group(unit), unseen)) for unit in units])

    def of_strangers(self, units: Sequence[Unit]) -> tuple[Floats, Floats]:
        """Estimate units of groups that were never seen, from the groups that are nearest to theirs.

        The nearest are those of the same kind (other kernels and strides), or all where the kind was never seen. Each
        says what the unit would take at its own rates. The estimate is the median of these; its error is the estimate
        itself, or the distance of the furthest of them if that is larger, since no measurement bounds it.

        Args:
            units: (V,) units.

        Returns:
            (V,) times and (V,) their standard errors.
        """
        pairs = [self._of_stranger(unit) for unit in units]
        return np.array([time for time, _ in pairs]), np.array([error for _, error in pairs])

    def _of_stranger(self, unit: Unit) -> tuple[float, float]:
        times = {name: float(work(unit) @ rates) for name, rates in self.rates.items()}
        kin = [time for name, time in times.items() if kind_of(name) == unit.kind]
        # Rates can be 0 if a fit could not tell groups apart. Groups of the same kind with such rates are not used.
        said = np.array(kin if any(kin) else list(times.values()))
        middle = float(np.median(said))
        return middle, max(middle, float(np.abs(said - middle).max()))


def _non_negative(design: Floats, times: Floats) -> Floats:
    """Rates (columns,) for amounts (n, columns): relative least squares with a weak pull towards one common rate."""
    # An amount that no measured unit has gets the common rate.
    scale = np.where(design.any(axis=0), design.max(axis=0), 1.0)
    typical = float(np.median(times))
    common = float(np.median(times / design.sum(axis=1)))
    pull = _PULL / typical
    rows = np.vstack([design / scale / times[:, None], np.diag(np.full(len(scale), pull))])
    solution, _ = nnls(rows, np.concatenate([np.ones(len(times)), pull * common * scale]))
    return solution / scale
