"""Measure finished model files: the very bytes that ship."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import InputError, explain
from edgenas.measure.device.agent import Network
from edgenas.measure.device.local import kept_on, measuring_cpus_here
from edgenas.measure.engines.base import ModelFile
from edgenas.measure.engines.registry import runtime_of
from edgenas.measure.protocol.settle import measured_settling, settle_of
from edgenas.measure.protocol.timing import Protocol, Samples, alternate, load_per_core
from edgenas.types import Progress

# Chosen, not measured: a pause between visits of files.
_APART_SECONDS = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLatency:
    """Latency of one file on this device.

    Attributes:
        name: Name of the file.
        runtime: Which runtime ran it.
        runtime_version: Its version.
        latency_ms: Median over the sessions of each session's low-half mean.
        standard_error_ms: Of that median, from the median absolute deviation between sessions.
        low_ms, high_ms: Fastest and slowest session: the spread.
        wall_ms: The same statistic of wall time. Other work on the machine lengthens it.
        sessions: Fresh sessions measured.
        runs: Timed runs in all.
        switches: Involuntary context switches during them.
        load_per_core: Load average per processor at the end.
        threads: Threads within one operation.
        mode: hot or cold.
        samples: Raw samples, one entry per session.
    """

    name: str
    runtime: str
    runtime_version: str
    latency_ms: float
    standard_error_ms: float
    low_ms: float
    high_ms: float
    wall_ms: float
    sessions: int
    runs: int
    switches: int
    load_per_core: float
    threads: int
    mode: str
    samples: tuple[Samples, ...] = field(repr=False, compare=False)


def measure_files(
    files: Sequence[ModelFile],
    *,
    threads: int = 1,
    protocol: Protocol | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[FileLatency, ...]:
    """Measure several files alternately in one visit.

    Args:
        files: At least one; where they name no runtime, ONNX files run on ONNX Runtime, TFLite files on LiteRT.
        threads: Threads within one operation; ignored where `protocol` is given.
        protocol: How to measure. The default takes 7 to 15 fresh sessions, until the median is known to 1 %. Another
            user of a shared machine can slow single sessions twofold. So the median of many short sessions is better
            than the mean of few long ones.
        seed: Draws the order in which the files take turns.
        progress: Called with (sessions done, sessions at most, what).

    Returns:
        One latency per file, in order.

    Raises:
        InputError: No file, or a format that no runtime reads.
        DeviceError: A runtime is not installed or refuses a file.
    """
    if not files:
        raise InputError(explain("there is nothing to measure", got="0 files"))
    how = protocol or Protocol(
        threads=threads, bursts=2, runs=6, burst_ms=20.0, turn_ms=10.0, min_sessions=7, max_sessions=15
    )
    rng = np.random.default_rng(seed)
    collected: list[list[Samples]] = [[] for _ in files]
    started = time.monotonic()
    for session in range(how.max_sessions):
        # A disturbance by others lasts some tenths of a second. It must not cover all sessions of a fast network.
        time.sleep(max(0.0, started + session * _APART_SECONDS - time.monotonic()))
        with kept_on(measuring_cpus_here(how.threads)):
            opened = [runtime_of(file).open(file.data, threads=how.threads) for file in files]
            networks = [Network(loaded.run) for loaded in opened]
            if not session and protocol is None:
                how = _settling_here(networks, how, rng)
            taken = alternate(networks, how, rng)
        for samples, found in zip(taken, collected, strict=True):
            found.append(samples)
        if progress is not None:
            progress(session + 1, how.max_sessions, f"{len(files)} files")
        if session + 1 >= how.min_sessions and _settled(collected, how):
            break
    return tuple(_summary(file, samples, how) for file, samples in zip(files, collected, strict=True))


def _settling_here(networks: Sequence[Network], how: Protocol, rng: np.random.Generator) -> Protocol:
    """Return the protocol with how these files settle after each other: the fastest, the slowest, one in between.

    A file alone has nothing to settle after.
    """
    if len(networks) < 2:
        return replace(how, settle=((1.0, 0),))
    for network in networks:
        network.warm(how.warmup)
    order = sorted(range(len(networks)), key=lambda place: networks[place].duration_ns)
    chosen = list(dict.fromkeys(order[place] for place in (0, len(order) // 2, -1)))

    def take(places: Sequence[int], plain: Protocol) -> list[Samples]:
        return alternate([networks[chosen[place]] for place in places], plain, rng)

    return replace(how, settle=settle_of(measured_settling([str(place) for place in chosen], take, how)))


def _settled(collected: Sequence[Sequence[Samples]], how: Protocol) -> bool:
    """Whether every file's median is known to the target."""
    for samples in collected:
        values = np.array([part.value_ns(how.clock) for part in samples])
        if len(values) < 2 or not _median_error(values) <= how.target_error * np.median(values):
            return False
    return True


def _median_error(values: NDArray[np.float64]) -> float:
    """Standard error of a median, with the spread taken from the median absolute deviation (normal case)."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return float(np.sqrt(np.pi / 2)) * spread / float(np.sqrt(len(values)))


def _summary(file: ModelFile, samples: Sequence[Samples], how: Protocol) -> FileLatency:
    values = np.array([part.value_ns(how.clock) for part in samples]) / 1e6
    spread = _median_error(values) if len(values) > 1 else float("nan")
    engine = runtime_of(file)
    return FileLatency(
        name=file.name,
        runtime=engine.name,
        runtime_version=engine.version(),
        latency_ms=float(np.median(values)),
        standard_error_ms=spread,
        low_ms=float(values.min()),
        high_ms=float(values.max()),
        wall_ms=float(np.median([part.value_ns("wall") for part in samples]) / 1e6),
        sessions=len(samples),
        runs=sum(len(part.wall_ns) * part.inner for part in samples),
        switches=sum(part.switches for part in samples),
        load_per_core=load_per_core(),
        threads=how.threads,
        mode=how.mode,
        samples=tuple(samples),
    )
