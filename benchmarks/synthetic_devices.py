"""Made-up devices whose latencies obey a law of their own, for tests of latency tables.

The law reads graphs and nothing of `edgenas.latency`: it groups operations into kernels by itself, and a kernel takes
the longer of computing and moving its data (the roofline of Williams 2009), after a call. What makes it unlike the
trend of a table:

- channels are computed in whole vectors, whose width the device has (4, 8 or 16)
- bandwidth falls in steps where the data of a kernel leave a cache
- weights that do not fit the last cache together are read from memory in every run
- convolutions have a blocked layout, pools and gates a plain one; data that cross are copied
- an activation or addition is fused into the convolution before it, or on some devices only the cheap ones are
- every kernel, by kind, size and stride, has an efficiency, and every single shape a whim

A step of the clock makes computing slower and leaves memory as it was. Letters: N networks, K distinct kernels.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph, Op

Array = NDArray[np.float64]
_CHEAP = ("relu", "relu6", "")
_NORMAL = NormalDist()


class Kernel(NamedTuple):
    """What a device runs at once: a convolution with what is fused into it, or another operation."""

    kind: str
    kernel: int
    stride: int
    before: int
    after: int
    pixels: int
    read: int
    written: int
    activation: str
    added: bool
    copied: int

    @property
    def weights(self) -> int:
        """Number of weights."""
        if self.kind == "depthwise":
            return self.after * self.kernel**2
        return self.before * self.after * self.kernel**2 if self.kind in ("conv", "dense") else 0


def kernels(graph: Graph) -> list[Kernel]:
    """Group the operations of a graph into kernels, in execution order."""
    uses: dict[str, int] = {}
    for op in graph.ops:
        for name in op.inputs:
            uses[name] = uses.get(name, 0) + 1
    found: list[Kernel] = []
    ends: dict[str, int] = {}
    layouts: dict[str, bool] = {}
    for op, sources in graph.with_inputs():
        if op.kind == "input":
            layouts[op.name] = False
            continue
        host = _host(op, found, ends, uses)
        if host is not None:
            kernel = found[host]
            found[host] = kernel._replace(added=True) if op.kind == "add" else kernel._replace(activation=op.activation)
            ends[op.name], layouts[op.name] = host, layouts[op.inputs[0]]
            continue
        blocked = op.kind == "conv" and op.shape.height > 1
        copied = sum(source.shape.elements for source in sources if layouts[source.name] != blocked)
        layouts[op.name] = blocked
        ends[op.name] = len(found)
        found.append(_kernel(op, sources, copied))
    return found


def _host(op: Op, found: list[Kernel], ends: dict[str, int], uses: dict[str, int]) -> int | None:
    """The convolution that an operation is fused into: the last one that feeds it and feeds nothing else."""
    if op.kind not in ("act", "add"):
        return None
    for name in reversed(op.inputs):
        place = ends.get(name)
        if place is None or uses[name] > 1 or found[place].weights == 0 or found[place].added:
            continue
        if op.kind == "add" or not found[place].activation:
            return place
    return None


def _kernel(op: Op, sources: Sequence[Op], copied: int) -> Kernel:
    kind: str = op.kind
    if op.kind == "conv":
        kind = "depthwise" if op.depthwise else "conv" if op.shape.height > 1 else "dense"
    elif op.kind == "fc":
        kind = "dense"
    return Kernel(
        kind=kind, kernel=op.kernel, stride=op.stride, before=sources[0].shape.channels, after=op.shape.channels,
        pixels=op.shape.height * op.shape.width, read=sum(source.shape.elements for source in sources),
        written=op.shape.elements, activation=op.activation, added=False, copied=copied,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The kernels of N networks.

    Attributes:
        kernels: K distinct ones.
        counts: (N, K) how often each network runs each.
    """

    kernels: tuple[Kernel, ...]
    counts: Array

    @classmethod
    def of(cls, graphs: Sequence[Graph]) -> Networks:
        """Collect the kernels of graphs."""
        lists = [kernels(graph) for graph in graphs]
        places = {kernel: place for place, kernel in enumerate(dict.fromkeys(k for row in lists for k in row))}
        counts = np.zeros((len(lists), len(places)))
        for row, members in enumerate(lists):
            for kernel in members:
                counts[row, places[kernel]] += 1
        return cls(kernels=tuple(places), counts=counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A made-up device. Times are in microseconds.

    Attributes:
        vector: Channels that are computed together.
        speed: Multiply-accumulates in a microsecond at an efficiency of 1.
        call: Time of a call.
        caches: Bytes of each cache, smallest first.
        bandwidths: Bytes in a microsecond from each cache, and from memory.
        bytes: Of a value.
        fuses_all: Whether costly activations are fused too.
        whim: Standard deviation of the logarithm of a single shape's time.
        seed: Of efficiencies and whims.
        clock: Factor of the time of computing.
    """

    vector: int
    speed: float
    call: float
    caches: tuple[float, ...]
    bandwidths: tuple[float, ...]
    bytes: int
    fuses_all: bool
    whim: float
    seed: int
    clock: float = 1.0

    @classmethod
    def drawn(cls, seed: int) -> Device:
        """Draw a device: a small core to a large one, with caches to match."""
        rng = np.random.default_rng([seed, 77])
        speed = float(np.exp(rng.uniform(np.log(2e3), np.log(6e4))))
        memory = speed * float(np.exp(rng.uniform(np.log(0.1), np.log(0.8))))
        second = float(2 ** rng.integers(17, 21))
        return cls(
            vector=int(rng.choice([4, 8, 16])),
            speed=speed,
            call=float(rng.uniform(0.3, 4.0)),
            caches=(float(rng.choice([32, 48, 64]) * 1024), second, second * float(rng.choice([4, 8, 16]))),
            bandwidths=(8 * memory, 4 * memory, 2 * memory, memory),
            bytes=int(rng.choice([1, 4])),
            fuses_all=bool(rng.random() < 0.5),
            whim=float(rng.uniform(0.01, 0.06)),
            seed=seed,
        )

    def at_clock(self, clock: float) -> Device:
        """The same device when computing takes `clock` times as long. Memory stays as fast as it was."""
        return replace(self, clock=clock)

    def latencies(self, networks: Networks) -> Array:
        """Latencies (N,) in microseconds."""
        weights = np.array([kernel.weights for kernel in networks.kernels], dtype=np.float64) * self.bytes
        total = networks.counts @ weights
        evicted = np.clip(1.0 - self.caches[-1] / np.maximum(total, 1.0), 0.0, 1.0)
        times = np.array([self._time(kernel) for kernel in networks.kernels])
        return networks.counts @ times + evicted * total / self.bandwidths[-1] + 2 * self.call

    def _time(self, kernel: Kernel) -> float:
        width, lanes = self.bytes, self.vector
        work = kernel.pixels * kernel.kernel**2 * -(-kernel.after // lanes) * lanes
        if kernel.kind in ("conv", "dense"):
            # The image has three channels; kernels for it do not round them.
            work *= kernel.before if kernel.before <= 3 else -(-kernel.before // lanes) * lanes
        elif kernel.kind != "depthwise":
            work = kernel.read
        computing = work / (self.speed * self._efficiency(kernel))
        moved = width * (kernel.read + kernel.written * (2 if kernel.added else 1) + kernel.weights)
        moving = moved / self._bandwidth(moved)
        costly = kernel.activation not in _CHEAP
        if costly:
            computing += 4 * kernel.written / self.speed
        time = max(self.clock * computing, moving) + self.clock * self.call
        if costly and not self.fuses_all and kernel.weights:
            again = 2 * width * kernel.written
            time += again / self._bandwidth(again) + self.clock * self.call
        copied = 2 * width * kernel.copied
        time += copied / self._bandwidth(copied) + (self.clock * self.call if copied else 0.0)
        return time * self._drawn(kernel, self.whim)

    def _bandwidth(self, moved: float) -> float:
        return self.bandwidths[sum(moved > cache for cache in self.caches)]

    def _efficiency(self, kernel: Kernel) -> float:
        """Of the peak: about a half for convolutions, an eighth for depthwise ones, spread by size and stride."""
        usual = {"conv": 0.5, "dense": 0.25}.get(kernel.kind, 0.125)
        return usual * self._drawn((kernel.kind, kernel.kernel, kernel.stride), 0.35)

    def _drawn(self, what: object, deviation: float) -> float:
        """A log-normal factor that belongs to one thing of this device, whatever else is asked."""
        digest = hashlib.blake2b(repr((self.seed, what)).encode(), digest_size=8).digest()
        share = (int.from_bytes(digest, "little") + 0.5) / 2**64
        return math.exp(deviation * _NORMAL.inv_cdf(share))
