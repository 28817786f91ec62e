"""A latency table as a value: the measured times, their device and protocol, and the error of its predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from types import MappingProxyType
from typing import Self

from edgenas.errors import TableError, explain
from edgenas.latency.device import DeviceInfo, RuntimeInfo
from edgenas.latency.records import Loops, Settling, half_width
from edgenas.markup import html_table
from edgenas.text import printable

# Entries are integers in this unit of the reference network's latency, so that sums are exact in any order.
# Chosen, not measured: far below the noise of any measurement (1 % of a visit at best).
RATIO_UNIT = 1e-9


def _quantile(level: float) -> float:
    """Half width of the central interval of a normal distribution, in standard deviations."""
    return NormalDist().inv_cdf((1 + level) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Time of one unit in context.

    Attributes:
        ratio: In `RATIO_UNIT` of the reference network's latency.
        error: Standard error of `ratio`, same unit.
        networks: Measured networks that contain the unit; 0 where it was estimated from similar units.
    """

    ratio: int
    error: int
    networks: int

    def __post_init__(self) -> None:
        if self.ratio < 0 or self.error < 0 or self.networks < 0:
            raise TableError(explain("an entry has a negative time or error, or a negative count", got=repr(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The network that every measurement alternates with.

    Attributes:
        notation: The network, as a person may type it.
        digest: Digest of its architecture.
        latency_ms: Its latency at the moment `at`. It turns ratios into milliseconds.
        spread: Relative standard deviation of its latency between the build's visits: the drift of the clock.
        at: The moment that predictions speak of, UTC, in ISO 8601: the end of the build, or of the check that brought
            the table to the present; empty in tables of older versions.
        error: Relative standard error of `latency_ms`; part of every prediction's interval. 0 in tables of older
            versions.
    """

    notation: str
    digest: str
    latency_ms: float
    spread: float
    at: str = ""
    error: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A measured network that `check` measures again.

    Attributes:
        notation: The network.
        ratio: Its measured latency over the reference's.
    """

    notation: str
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a network takes besides its units.

    ratio = sum of the units' ratios + per_unit * units + constant

    Attributes:
        per_unit: Per unit.
        constant: Of a run.
    """

    per_unit: float = 0.0
    constant: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """How far predictions were from measurements that had not been used for them.

    Attributes:
        level: Nominal coverage, such as 0.9.
        relative: Half width as a share of the prediction. It contains the bias that a validation found.
        networks: Residuals it rests on.
        visit_noise: Relative standard deviation of one network's ratio between visits; no part of the above.
        left_out: Half width without bias, from cross-validated residuals; 0 where `relative` is that.
        bias: Of predictions against loops of back-to-back runs, relative; 0 until validated.
        bias_error: Its standard error.
    """

    level: float
    relative: float
    networks: int
    visit_noise: float
    left_out: float = 0.0
    bias: float = 0.0
    bias_error: float = 0.0

    @property
    def unbiased(self) -> float:
        """Half width that was announced without knowing of a bias."""
        return self.left_out or self.relative

    def biased(self, bias: float, error: float) -> Self:
        """Return the interval that holds what it promises although predictions have a bias.

        Args:
            bias: Relative, instead of the one before.
            error: Its standard error.
        """
        wide = half_width(level=self.level, relative=self.unbiased, bias=bias, error=error)
        return replace(self, relative=wide, left_out=self.unbiased, bias=bias, bias_error=error)

    @property
    def is_wrong(self) -> bool:
        """Whether predictions have a bias larger than the interval announced, and not by chance."""
        return abs(self.bias) > self.unbiased and abs(self.bias) > 2 * self.bias_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Error on networks that were measured afterwards and not used to build; percentages of the measured latency.

    Attributes:
        networks: How many.
        seed: They were drawn with it.
        mape_percent, median_percent, worst_percent: Absolute relative error: mean, median, largest.
        within_5_percent, within_10_percent: Share of networks within those errors.
        kendall_tau: Rank correlation of predicted and measured.
        interval_coverage_percent: Share of networks inside their prediction interval, widened by the standard error of
            their own measurement; in tables of older versions not widened.
        reference_drift_percent: Common change of the latencies of the reference and the probes since the build. It is
            not part of the errors.
        date: Day it was made.
        predicted_ms, measured_ms: One value per network, for the plot.
        visits: How often a network was measured, on average; 0 in tables of older versions.
        measured_error_percent: Standard error of the measured latencies (root mean square), part of the errors above;
            None where it is not known, since no network was measured twice.
        at: Moment of its end, UTC, in ISO 8601; empty in tables of older versions.
        loops: Predictions against an independent procedure; None in tables of older versions.
    """

    networks: int
    seed: int
    mape_percent: float
    median_percent: float
    worst_percent: float
    within_5_percent: float
    within_10_percent: float
    kendall_tau: float
    interval_coverage_percent: float
    reference_drift_percent: float
    date: str
    predicted_ms: tuple[float, ...]
    measured_ms: tuple[float, ...]
    visits: float = 0.0
    measured_error_percent: float | None = None
    at: str = ""
    loops: Loops | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInfo:
    """How a table came to be.

    Attributes:
        space: Name of the search space.
        space_digest: Its digest.
        networks: Measured networks.
        visits: Measurements of them, each with fresh sessions.
        runs: Timed runs in all.
        switches: Involuntary context switches during them.
        seconds: Wall time spent measuring.
        load_per_core: Load average per processor at the start.
        clock: `thread_cpu` or `wall`.
        protocol: Settings of the protocol, as `name=value` pairs in one line.
        seed: Of the design and the order.
        date: Day of the build.
        edgenas: Version of this package.
        warnings: Doubts about the table when it was fitted, one line each; empty for a good one.
        measured: Digests of the networks that it was fitted to; empty in tables of older versions.
        begun, ended: Moments of the first visit and of the end of the last one, UTC, in ISO 8601; empty in tables of
            older versions.
        floor_ms: Latency of a file with one fully connected layer of one weight, by the same protocol: what a run of
            the runtime costs before there is a network. None in tables of older versions.
        settling: How networks settled after others ran on this device, part of the protocol; empty for cold tables, and
            in tables of older versions, whose hot latencies are up to a quarter too long.
    """

    space: str
    space_digest: str
    networks: int
    visits: int
    runs: int
    switches: int
    seconds: float
    load_per_core: float
    clock: str
    protocol: str
    seed: int
    date: str
    edgenas: str
    warnings: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    begun: str = ""
    ended: str = ""
    floor_ms: float | None = None
    settling: tuple[Settling, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Times of units on one device and runtime, with the correction and the error of what is predicted from them.

    Attributes:
        device: The processor.
        runtime: Runtime, version, precision, scheme, threads, mode.
        reference: The network all times are relative to.
        build: How it was measured.
        probes: Some of the measured networks.
        entries: Time by unit key.
        correction: From sums to a network's latency.
        interval: Of a prediction.
        validation: Error on held-out networks; None until validated.
    """

    device: DeviceInfo
    runtime: RuntimeInfo
    reference: Reference
    build: BuildInfo
    probes: tuple[Probe, ...]
    entries: Mapping[str, Entry] = field(repr=False)
    correction: Correction
    interval: Interval
    validation: Validation | None = None

    def __post_init__(self) -> None:
        if not self.entries:
            raise TableError(explain("a latency table without entries"))
        if not 0 < self.reference.latency_ms < float("inf"):
            raise TableError(explain("the reference's latency must be positive", got=self.reference.latency_ms))
        object.__setattr__(self, "entries", MappingProxyType(dict(self.entries)))

    def entry(self, key: str, *, where: str) -> Entry:
        """Return the entry of a unit.

        Args:
            key: `Unit.key`.
            where: The block or layer that asks, for the error.

        Raises:
            TableError: The table lacks the unit.
        """
        found = self.entries.get(key)
        if found is None:
            raise TableError(
                explain(
                    f"the latency table of {self.build.space!r} ({self.runtime.slug}) has no entry for {where}: {key}",
                    remedy="Build a table for this space, or allow interpolation (it is marked in the result).",
                )
            )
        return found

    def require(self, *, device: DeviceInfo | None = None, runtime: RuntimeInfo | None = None) -> None:
        """Refuse a use that this table was not measured for.

        Args:
            device: The device at hand; None to not ask.
            runtime: The runtime and settings at hand; None to not ask.

        Raises:
            TableError: Names every difference.
        """
        differences = self.device.differences(device) if device is not None else ()
        differences += self.runtime.differences(runtime) if runtime is not None else ()
        if differences:
            raise TableError(
                explain(
                    f"this latency table is for another target; {'; '.join(differences)}",
                    remedy="Build one here with `edgenas latency build`, or ask for this one as a foreign table.",
                )
            )

    def validated(self, validation: Validation) -> Self:
        """Return the same table with its validation. The bias that it found enters the interval."""
        interval, loops = self.interval, validation.loops
        if loops is not None:
            interval = interval.biased(loops.bias_percent / 100, loops.bias_error_percent / 100)
        return replace(self, validation=validation, interval=interval)

    def at_clock(self, reference_ms: float, *, error: float = 0.0, at: str = "") -> Self:
        """Return the same table with another latency of the reference network. `check` measures it.

        Args:
            reference_ms: Latency of the reference network now.
            error: Its relative standard error, which widens the interval of every prediction.
            at: When now is; see `Reference.at`.
        """
        return replace(self, reference=replace(self.reference, latency_ms=reference_ms, error=error, at=at))

    def with_clock_error(self, error: float) -> Self:
        """Return the same table for predictions that are brought to another moment by a clock of some error.

        Args:
            error: Relative standard error of the clock. It is added in quadrature to that of the table's own moment.
        """
        wide = math.hypot(self.reference.error, error)
        return replace(self, reference=replace(self.reference, error=wide)) if error else self

    @property
    def relative(self) -> float:
        """Half width of the interval of a prediction: what predictions are off, and what their clock is off."""
        return math.hypot(self.interval.relative, _quantile(self.interval.level) * self.reference.error)

    @property
    def is_lukewarm(self) -> bool:
        """Whether it was measured by the older hot protocol, whose networks had not settled after others ran."""
        return self.runtime.mode == "hot" and not self.build.settling

    @property
    def faults(self) -> tuple[str, ...]:
        """Say why predictions are wrong wherever the table is used, one line each; empty for a good one."""
        found = []
        if self.is_lukewarm:
            found.append(
                "the table was measured by an older version, whose networks had not settled after others ran: its "
                "latencies are up to a quarter longer than what a loop sees"
            )
        if self.interval.is_wrong:
            found.append(
                f"the table is wrong: predictions are {100 * self.interval.bias:+.1f} % off loops of back-to-back runs "
                f"(standard error {100 * self.interval.bias_error:.1f} %), and +-{100 * self.interval.unbiased:.1f} % "
                "were announced"
            )
        return tuple(found)

    def __repr__(self) -> str:
        space, entries = printable(self.build.space), len(self.entries)
        return f"LatencyTable({space}, {self.runtime.slug}, {entries} entries, {self._error()}, {self.device.cpu!r})"

    def _repr_html_(self) -> str:
        rows = [
            ("space", self.build.space),
            ("runtime", self.runtime.slug),
            ("device", self.device.cpu),
            ("entries", f"{len(self.entries)} from {self.build.networks} networks, {self.build.date}"),
            ("error", self._error()),
            ("reference network", f"{self.reference.latency_ms:.4g} ms"),
            *(("warning", line) for line in self.build.warnings),
        ]
        return html_table((), rows, title="latency table")

    def _error(self) -> str:
        checked, level = self.validation, f"{100 * self.interval.level:.0f} %"
        if checked is None:
            return f"not validated, {level} interval +-{100 * self.interval.relative:.1f} %"
        return f"mean error {checked.mape_percent:.2f} % on {checked.networks} held-out networks"
