"""Visits: one network measured against the reference network, with fresh sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgenas.arch import Architecture, lower
from edgenas.formats import SCHEMES, encode, random_weights
from edgenas.latency.device import Precision, RuntimeInfo, RuntimeName
from edgenas.measure.devices import Device, LocalDevice
from edgenas.measure.protocol import Protocol, Samples
from edgenas.measure.runtime import runtime

# A reference session lives for some visits: making one costs as much as a burst, and every network meets several.
_REFERENCE_VISITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a table is about, besides the device.

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
        scheme = (self.scheme or SCHEMES[runtime(self.runtime).file_format][0]) if self.precision == "int8" else "none"
        return RuntimeInfo(
            runtime=self.runtime,
            version=(device or LocalDevice()).version(self.runtime),
            precision=self.precision,
            scheme=scheme,
            threads=self.protocol.threads,
            mode=self.protocol.mode,
        )

    def file(self, architecture: Architecture) -> bytes:
        """Write the network as the file that is measured: random weights, for int8 ranges without images."""
        graph = lower(architecture)
        return encode(
            graph,
            random_weights(graph, np.random.default_rng(0)),
            file_format=runtime(self.runtime).file_format,
            precision=self.precision,
            scheme=self.scheme or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visit:
    """One measurement of one network against the reference.

    Attributes:
        ratio: Latency over the reference's latency.
        latency_ms, reference_ms: Both, as measured; they drift with the clock of the processor.
        samples, reference_samples: Raw samples.
        seconds: Wall time it took, writing and loading the file included.
    """

    ratio: float
    latency_ms: float
    reference_ms: float
    samples: Samples
    reference_samples: Samples
    seconds: float


# A session may be unlucky with where its memory lies; a small reference then takes up to 60 % longer, and every ratio
# to it is wrong by as much.
_DISTURBED = 0.12


def disturbed(visit: Visit, typical_ms: float) -> bool:
    """Whether the reference was so far from its usual latency that the visit's ratio cannot be trusted."""
    return abs(visit.reference_ms / typical_ms - 1) > _DISTURBED


def combined_ratio(visits: Sequence[Visit], typical_ms: float) -> float:
    """Combine the visits of one network into its latency ratio.

    Args:
        visits: At least one.
        typical_ms: Median latency of the reference over all visits of all networks.

    Returns:
        Median (mean of two) of the ratios of undisturbed visits; of all where every visit was disturbed.
    """
    steady = [visit.ratio for visit in visits if not disturbed(visit, typical_ms)]
    return float(np.median(steady or [visit.ratio for visit in visits]))


class Bench:
    """Measures networks against one reference network. Keeps the reference loaded; use it from one thread."""

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
        self._visits = 0

    def visit(self, architecture: Architecture) -> Visit:
        """Measure one network in a fresh session.

        Args:
            architecture: The network.

        Raises:
            DeviceError: The runtime is missing or refuses the file.
        """
        return self.visit_file(self._target.file(architecture))

    def visit_file(self, data: bytes) -> Visit:
        """Measure the bytes of one file in a fresh session; see `visit`."""
        start = time.perf_counter()
        how = self._target.protocol
        self._load("network", data)
        self._renew_reference()
        own, other = self._device.alternate(("network", "reference"), how, self._rng)
        latency, reference = own.value_ns(how.clock), other.value_ns(how.clock)
        return Visit(
            ratio=latency / reference,
            latency_ms=latency / 1e6,
            reference_ms=reference / 1e6,
            samples=own,
            reference_samples=other,
            seconds=time.perf_counter() - start,
        )

    def _load(self, slot: str, data: bytes) -> None:
        self._device.load(slot, self._target.runtime, data, threads=self._target.protocol.threads)

    def _renew_reference(self) -> None:
        """Give the reference a fresh session every few visits."""
        if self._visits % _REFERENCE_VISITS == 0:
            self._file = self._file or self._target.file(self._reference)
            self._load("reference", self._file)
        self._visits += 1


Progress = Callable[[int, int, str], None]
