"""How a latency is measured: warm-up, alternation, robust statistics, fresh sessions.

What was learned on shared machines, and is obeyed here:

- At one thread the runtimes compute in the caller's thread, so thread CPU time survives a busy machine, on which
  wall medians double. With more threads only wall time has a meaning.
- The mean of the lower half of the samples is steadier than minimum or median.
- Latencies are divided by those of a reference network measured alternately, which cancels the drift of the clock.
- Most of the remaining noise lies between sessions. Repeating runs within one session claims an interval that is
  far too narrow; fresh sessions, and the error between them, decide when to stop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgenas.errors import DeviceError, InputError, explain
from edgenas.latency.device import MODES, Mode
from edgenas.measure.runtime import Session

try:
    import resource
except ImportError:  # only missing on Windows, where switches are then not counted
    resource = None  # type: ignore[assignment]

_MIN_SAMPLE_NS = 400_000
_BUSY_LOAD_PER_CORE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Settings of a measurement; part of a table's header.

    Attributes:
        threads: Threads within one operation.
        mode: `hot`: back-to-back runs of one network; `cold`: every run after a run of another network.
        bursts: Bursts per session, alternated with the reference or the other files.
        runs: Timed samples per burst.
        warmup: Runs before the first burst of a session; one or two more precede every later burst.
        min_sessions, max_sessions: Fresh sessions per file.
        target_error: Stop after `min_sessions` once the relative standard error between sessions is below this.
    """

    threads: int = 1
    mode: Mode = "hot"
    bursts: int = 3
    runs: int = 8
    warmup: int = 6
    min_sessions: int = 3
    max_sessions: int = 6
    target_error: float = 0.01

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(explain("unknown mode", got=repr(self.mode), allowed=MODES))
        for name in ("threads", "bursts", "runs", "warmup", "min_sessions"):
            if getattr(self, name) < 1:
                raise InputError(explain(f"{name} must be positive", got=getattr(self, name)))
        if self.max_sessions < self.min_sessions:
            raise InputError(explain("max_sessions below min_sessions", got=self.max_sessions))

    @property
    def clock(self) -> str:
        """Which clock the statistics use: `thread_cpu` at one thread, else `wall`."""
        return "thread_cpu" if self.threads == 1 else "wall"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Raw samples of one file in one session; each is the mean of `inner` runs.

    Attributes:
        wall_ns: (R,) nanoseconds of wall time per run.
        cpu_ns: (R,) nanoseconds of CPU time of the calling thread per run.
        switches: Involuntary context switches during all samples.
        inner: Runs per sample.
    """

    wall_ns: np.ndarray = field(repr=False)
    cpu_ns: np.ndarray = field(repr=False)
    switches: int = 0
    inner: int = 1

    def value_ns(self, clock: str) -> float:
        """Mean of the lower half of the samples of a clock (`thread_cpu` or `wall`), nanoseconds."""
        return low_half_mean(self.cpu_ns if clock == "thread_cpu" else self.wall_ns)


def low_half_mean(values: np.ndarray) -> float:
    """Mean of the lower half of the values (at least one)."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    return float(ordered[: max(1, (len(ordered) + 1) // 2)].mean())


def join(parts: Sequence[Samples]) -> Samples:
    """Put the samples of several bursts of one session together."""
    return Samples(
        wall_ns=np.concatenate([part.wall_ns for part in parts]),
        cpu_ns=np.concatenate([part.cpu_ns for part in parts]),
        switches=sum(part.switches for part in parts),
        inner=parts[0].inner,
    )


def involuntary_switches() -> int:
    """Involuntary context switches of this thread so far; 0 where the system does not count them."""
    if resource is None or not hasattr(resource, "RUSAGE_THREAD"):
        return 0
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def burst(session: Session, *, runs: int, inner: int) -> Samples:
    """Time back-to-back runs of one session.

    Args:
        session: A warm session.
        runs: Samples to take.
        inner: Runs per sample, so that a sample is long against the cost of reading the clocks.
    """
    run, wall, cpu = session.run, time.perf_counter_ns, time.thread_time_ns
    wall_ns, cpu_ns = np.empty(runs), np.empty(runs)
    switches = involuntary_switches()
    for sample in range(runs):
        cpu_start, wall_start = cpu(), wall()
        for _ in range(inner):
            run()
        wall_ns[sample], cpu_ns[sample] = wall() - wall_start, cpu() - cpu_start
    return Samples(
        wall_ns=wall_ns / inner, cpu_ns=cpu_ns / inner, switches=involuntary_switches() - switches, inner=inner
    )


def warm(session: Session, runs: int) -> int:
    """Run a fresh session until it is warm and return how many runs a sample needs.

    Args:
        session: A session that never ran, or not for a while.
        runs: Least number of runs; a fast network gets more, for 2 ms in all.
    """
    for _ in range(runs):
        session.run()
    first = burst(session, runs=2, inner=1)
    duration = max(1.0, low_half_mean(first.cpu_ns))
    for _ in range(int(min(200, 2_000_000 // duration))):
        session.run()
    return inner_runs(low_half_mean(burst(session, runs=2, inner=1).cpu_ns))


def inner_runs(duration_ns: float) -> int:
    """Runs per sample for a network that takes `duration_ns`: 1 from 0.4 ms up."""
    return max(1, int(np.ceil(_MIN_SAMPLE_NS / max(1.0, duration_ns))))


def alternate(sessions: Sequence[Session], protocol: Protocol, rng: np.random.Generator) -> list[Samples]:
    """Measure several loaded models alternately, in a random order in every round.

    Args:
        sessions: At least one fresh session.
        protocol: How.
        rng: Draws the order of every round.

    Returns:
        One `Samples` per session.
    """
    inner = [warm(session, protocol.warmup) for session in sessions]
    if protocol.mode == "cold":
        return _interleave(sessions, protocol, rng)
    parts: list[list[Samples]] = [[] for _ in sessions]
    for _ in range(protocol.bursts):
        for index in rng.permutation(len(sessions)):
            # The caches hold the network before; a run brings this one back; the lower half drops the rest.
            for _ in range(inner[index]):
                sessions[index].run()
            parts[index].append(burst(sessions[index], runs=protocol.runs, inner=inner[index]))
    return [join(part) for part in parts]


def _interleave(sessions: Sequence[Session], protocol: Protocol, rng: np.random.Generator) -> list[Samples]:
    """Single runs, each after a run of another network: caches are cold for it."""
    if len(sessions) < 2:
        raise InputError(explain("cold mode alternates networks and needs at least two", got=len(sessions)))
    parts: list[list[Samples]] = [[] for _ in sessions]
    for _ in range(protocol.bursts * protocol.runs):
        for index in rng.permutation(len(sessions)):
            parts[index].append(burst(sessions[index], runs=1, inner=1))
    return [join(part) for part in parts]


def load_per_core() -> float:
    """Load average of the last minute, over the processors this process may use; 0 where unknown."""
    if not hasattr(os, "getloadavg"):
        return 0.0
    affinity = getattr(os, "sched_getaffinity", None)
    return os.getloadavg()[0] / (len(affinity(0)) if affinity else (os.cpu_count() or 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """How busy the machine is, as one thread experiences it.

    Attributes:
        load_per_core: Load average of the last minute per processor.
        stolen: Share of wall time during which a computing thread did not run, in [0, 1].
    """

    load_per_core: float
    stolen: float

    @property
    def too_busy(self) -> bool:
        """Whether others take so much of the machine that a table would be about them."""
        return self.stolen > 0.25 and self.load_per_core > _BUSY_LOAD_PER_CORE


def business(seconds: float = 0.3) -> Business:
    """Compute for a moment and see how much of the time this thread really ran.

    Args:
        seconds: Wall time to look for.
    """
    block = np.ones(4096)
    start, start_cpu = time.perf_counter(), time.thread_time()
    while time.perf_counter() - start < seconds:
        block *= 1.0
    elapsed, used = time.perf_counter() - start, time.thread_time() - start_cpu
    return Business(load_per_core=load_per_core(), stolen=max(0.0, 1 - used / elapsed))


def require_quiet(*, force: bool = False) -> Business:
    """Refuse to measure on a machine that is too busy.

    Args:
        force: Measure anyway.

    Returns:
        What was seen.

    Raises:
        DeviceError: Too busy, and not forced; says what was seen.
    """
    seen = business()
    if seen.too_busy and not force:
        raise DeviceError(
            explain(
                "this machine is too busy to measure: a computing thread ran only "
                f"{100 * (1 - seen.stolen):.0f} % of the time at a load of {seen.load_per_core:.1f} per core",
                allowed="at least 75 % or a load up to 0.75 per core",
                remedy="Stop other work, or force the measurement (the table will be less true).",
            )
        )
    return seen
