"""How a latency is measured: warm-up, alternation, robust statistics, fresh sessions.

Findings on shared machines that the protocol follows:

- At one thread the runtimes compute in the caller's thread, so thread CPU time survives a busy machine, on which
  wall medians double. With more threads only wall time has a meaning.
- Hot is what a loop over one network sees. After another network ran, the first runs of a turn take up to a third
  longer, and a run is settled when the next one changes the time by less than 1 %. How many runs that takes is
  measured on every device (`protocol/settle.py`); only what follows counts.
- The mean of the lower half of the samples is steadier than minimum or median.
- Latencies are divided by those of a reference network measured alternately, which cancels the drift of the clock.
- Most of the remaining noise lies between sessions. An interval from the runs of one session is far too narrow. So
  fresh sessions, and the error between them, decide when to stop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgenas.errors import DeviceError, InputError, explain
from edgenas.latency.device import MODES, Mode
from edgenas.measure.device import agent
from edgenas.measure.device.agent import low_half_mean

# Chosen, not measured: at this load one of two cores is nearly always taken.
_BUSY_LOAD_PER_CORE = 0.75
# Most samples of a turn that may not count: a calibration looks at this many.
# Chosen, not measured: the benchmark's networks needed up to 12 (`settling` in
# benchmarks/results/latency_fidelity.json).
MOST_SETTLE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Settings of a measurement; part of a table's header.

    Attributes:
        threads: Threads within one operation.
        mode: `hot`: back-to-back runs of one network; `cold`: every run after a run of another network.
        bursts: Turns per session, alternated with the reference or the other files.
        runs: Samples per turn that count.
        settle: (milliseconds of a run, samples at the beginning of a turn that do not count) of networks for which this
            was measured; see `agent.settle_runs`. The default is what the largest curve of `docs/latency.md` needs.
        burst_ms: A network whose run takes longer has half as many samples per turn that count; 0 for no such network.
        turn_ms: A fast network has as many samples per turn that count as take this time, 40 at most. The lower half of
            few samples lies higher than that of many where others use the machine (1 to 2.5 % for 8 against 60).
        warmup: Runs before the first turn of a session.
        min_sessions, max_sessions: Fresh sessions per file.
        target_error: Stop after `min_sessions` once the relative standard error between sessions is below this.
    """

    threads: int = 1
    mode: Mode = "hot"
    bursts: int = 3
    runs: int = 8
    settle: tuple[tuple[float, int], ...] = ((1.0, 8),)
    burst_ms: float = 0.0
    turn_ms: float = 0.0
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
        if not self.settle or not all(0 < ms < math.inf and 0 <= samples <= MOST_SETTLE for ms, samples in self.settle):
            allowed = f"(milliseconds, samples) of at least one network, 0 to {MOST_SETTLE} samples"
            raise InputError(explain("settle cannot be", got=self.settle, allowed=allowed))
        for name in ("burst_ms", "turn_ms"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(explain(f"{name} must not be negative", got=getattr(self, name)))
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


def samples_of(raw: Mapping[str, Any]) -> Samples:
    """Make samples of what the agent measured, here or on a device."""
    return Samples(
        wall_ns=np.asarray(raw["wall_ns"], dtype=np.float64),
        cpu_ns=np.asarray(raw["cpu_ns"], dtype=np.float64),
        switches=int(raw["switches"]),
        inner=int(raw["inner"]),
    )


def rounds(networks: int, protocol: Protocol, rng: np.random.Generator) -> list[list[int]]:
    """Draw in which order networks take turns in every round.

    Raises:
        InputError: Cold mode with a single network.
    """
    if protocol.mode == "cold" and networks < 2:
        raise InputError(explain("cold mode alternates networks and needs at least two", got=networks))
    count = protocol.bursts * (protocol.runs if protocol.mode == "cold" else 1)
    found: list[list[int]] = []
    for _ in range(count):
        order = rng.permutation(networks).tolist()
        if found and networks > 1 and order[0] == found[-1][-1]:
            # Else it would follow itself, which is no turn after another network.
            order = order[1:] + order[:1]
        found.append(order)
    return found


def alternate(
    networks: Sequence[agent.Network], protocol: Protocol, rng: np.random.Generator
) -> list[Samples]:
    """Measure several loaded models alternately, in a random order in every round.

    Args:
        networks: At least one; those that were measured before are not warmed anew.
        protocol: How.
        rng: Draws the order of every round.

    Returns:
        One `Samples` per network.

    Raises:
        InputError: Cold mode with a single network.
    """
    found = agent.alternate(
        networks,
        mode=protocol.mode, runs=protocol.runs, warmup=protocol.warmup, orders=rounds(len(networks), protocol, rng),
        settle=protocol.settle, burst_ms=protocol.burst_ms, turn_ms=protocol.turn_ms,
    )  # fmt: skip
    return [samples_of(raw) for raw in found]


def load_per_core() -> float:
    """Load average of the last minute, over the processors this process may use; 0 where unknown."""
    return agent.load_per_core()


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """How busy the machine is for one thread.

    Attributes:
        load_per_core: Load average of the last minute per processor.
        stolen: Share of wall time during which a computing thread did not run, in [0, 1].
    """

    load_per_core: float
    stolen: float

    @property
    def too_busy(self) -> bool:
        """Whether other programs use so much of the machine that a table would measure them."""
        return self.stolen > 0.25 and self.load_per_core > _BUSY_LOAD_PER_CORE


def business(seconds: float = 0.3) -> Business:
    """Compute for a moment and find the share of time in which this thread really ran.

    Args:
        seconds: Wall time to look for.
    """
    share = agent.stolen(seconds)
    return Business(load_per_core=load_per_core(), stolen=share)


def require_quiet(seen: Business | None = None, *, force: bool = False) -> Business:
    """Refuse to measure on a machine that is too busy.

    Args:
        seen: How busy the device is; this machine, looked at now, if None.
        force: Measure anyway.

    Returns:
        What was seen.

    Raises:
        DeviceError: Too busy, and not forced; says what was seen.
    """
    seen = seen or business()
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
