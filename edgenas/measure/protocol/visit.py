"""Visits: one network measured against the reference network, both in fresh sessions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgenas.arch import Architecture, Graph, Op, TensorShape, lower
from edgenas.formats import FORMATS, encode
from edgenas.latency.device import Precision, RuntimeInfo
from edgenas.latency.records import Settling
from edgenas.latency.runtimes import RuntimeName
from edgenas.measure.device.alone import Loop
from edgenas.measure.device.local import Device, LocalDevice
from edgenas.measure.engines.registry import runtime
from edgenas.measure.filler import filler_weights
from edgenas.measure.protocol.settle import measured_settling, settle_of
from edgenas.measure.protocol.timing import Protocol, Samples

# Sessions of a network within one visit. Several are needed: the speed of a session depends on where its memory lies.
# Two are the least; more than two were not compared.
_SESSIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a table is measured with, besides the device.

    Attributes:
        runtime: `ort` or `litert`.
        precision: fp32, fp16 or int8.
        scheme: int8 scheme of the writer; empty for its default.
        protocol: How it is measured; carries threads and mode.
    """

    runtime: RuntimeName = "ort"
    precision: Precision = "fp32"
    scheme: str = ""
    protocol: Protocol = Protocol()

    def info(self, device: Device | None = None) -> RuntimeInfo:
        """Describe the target with the version of the runtime that is installed.

        Args:
            device: Where; this machine if None.

        Raises:
            DeviceError: The runtime is not installed.
        """
        return RuntimeInfo(
            runtime=self.runtime,
            version=(device or LocalDevice()).version(self.runtime),
            precision=self.precision,
            scheme=FORMATS[runtime(self.runtime).file_format].scheme_of(self.precision, self.scheme),
            threads=self.protocol.threads,
            mode=self.protocol.mode,
        )

    def file(self, architecture: Architecture) -> bytes:
        """Write the network as the file that is measured. Its weights are filler; int8 ranges need no images."""
        graph = lower(architecture)
        return encode(
            graph,
            filler_weights(graph),
            file_format=runtime(self.runtime).file_format,
            precision=self.precision,
            scheme=self.scheme or None,
        )


    def floor_file(self) -> bytes:
        """Write a network that computes nothing: one fully connected layer of one weight."""
        shape = TensorShape(1, 1, 1)
        image = Op(kind="input", name="image", shape=shape)
        layer = Op(kind="fc", name="weight", inputs=("image",), shape=shape, block="head")
        graph = Graph(ops=(image, layer), norm_eps=1e-3)
        return encode(
            graph,
            filler_weights(graph),
            file_format=runtime(self.runtime).file_format,
            precision=self.precision,
            scheme=self.scheme or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visit:
    """One measurement of one network against the reference.

    Attributes:
        latency_ms, reference_ms: Both, as measured; they drift with the clock of the processor.
        sessions_ms: Latency in each fresh session of the network; `latency_ms` is their mean.
        samples: Raw samples, one for each session.
        reference_samples: Raw samples of the reference.
        at: When it began, seconds of any clock that all visits share.
        seconds: Wall time it took, writing and loading the files included.
    """

    latency_ms: float
    reference_ms: float
    sessions_ms: tuple[float, ...]
    samples: tuple[Samples, ...]
    reference_samples: Samples
    at: float
    seconds: float

    @property
    def runs(self) -> int:
        """Timed runs of the network."""
        return sum(len(part.wall_ns) * part.inner for part in self.samples)

    @property
    def switches(self) -> int:
        """Involuntary context switches during all timed runs."""
        return sum(part.switches for part in (*self.samples, self.reference_samples))


class Bench:
    """Measures networks against one reference network; use it from one thread."""

    def __init__(
        self, target: Target, reference: Architecture, *, seed: int = 0, device: Device | None = None
    ) -> None:
        """Prepare; nothing is loaded yet.

        Args:
            target: Runtime, precision and protocol.
            reference: The network that all others alternate with.
            seed: Of the order within measurements.
            device: Where to measure; this machine if None.
        """
        self._device = device or LocalDevice()
        self._target = target
        self._reference = reference
        self._rng = np.random.default_rng(seed)
        self._file = b""

    def prepare(self, settling: Sequence[Settling]) -> None:
        """Take over how networks settle on the device, for all later visits.

        Args:
            settling: From `settling`, or from a table; none in cold mode.
        """
        if settling:
            self._target = replace(
                self._target, protocol=replace(self._target.protocol, settle=settle_of(settling))
            )

    def settling(self, small: Architecture, large: Architecture) -> tuple[Settling, ...]:
        """Measure how networks settle after others ran: two networks and the reference.

        Args:
            small: The smallest network that will be measured, or one near it.
            large: The largest one.
        """
        files = dict(small=small, middle=self._reference, large=large)
        for name, network in files.items():
            self._load((name,), self._target.file(network))
        names = tuple(files)

        def take(places: Sequence[int], how: Protocol) -> list[Samples]:
            return self._device.alternate([names[place] for place in places], how, self._rng)

        return measured_settling(names, take, self._target.protocol)

    def floor_ms(self) -> float:
        """Measure what a run costs that computes nothing, by the protocol."""
        self._file = self._file or self._target.file(self._reference)
        self._load(("reference",), self._file)
        self._load(("floor",), self._target.floor_file())
        how = self._target.protocol
        floor, _ = self._device.alternate(("floor", "reference"), how, self._rng)
        return floor.value_ns(how.clock) / 1e6

    def alone(self, architecture: Architecture) -> Loop:
        """Run one network in a loop in a process of its own, by no code of the protocol."""
        how = self._target.protocol
        other = self._target.file(self._reference) if how.mode == "cold" else b""
        data = self._target.file(architecture)
        return self._device.alone(self._target.runtime, data, threads=how.threads, other=other)

    @property
    def threads(self) -> int:
        """Threads within one operation."""
        return self._target.protocol.threads

    @property
    def clock(self) -> str:
        """Which clock counts; see `Protocol.clock`."""
        return self._target.protocol.clock

    def visit(self, architecture: Architecture) -> Visit:
        """Measure one network in fresh sessions.

        Args:
            architecture: The network.

        Raises:
            DeviceError: The runtime is missing or refuses the file.
        """
        start = time.perf_counter()
        return self._visit(self._target.file(architecture), start)

    def visit_file(self, data: bytes) -> Visit:
        """Measure the bytes of one file in fresh sessions; see `visit`."""
        return self._visit(data, time.perf_counter())

    def _visit(self, data: bytes, start: float) -> Visit:
        at = time.time()
        how = self._target.protocol
        slots = tuple(f"network {index}" for index in range(_SESSIONS))
        self._load(slots, data)
        self._file = self._file or self._target.file(self._reference)
        self._load(("reference",), self._file)
        *own, other = self._device.alternate((*slots, "reference"), how, self._rng)
        sessions = tuple(samples.value_ns(how.clock) / 1e6 for samples in own)
        return Visit(
            latency_ms=sum(sessions) / len(sessions),
            reference_ms=other.value_ns(how.clock) / 1e6,
            sessions_ms=sessions,
            samples=tuple(own),
            reference_samples=other,
            at=at,
            seconds=time.perf_counter() - start,
        )

    def _load(self, slots: tuple[str, ...], data: bytes) -> None:
        self._device.load(slots, self._target.runtime, data, threads=self._target.protocol.threads)


