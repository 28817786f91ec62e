"""The clock of a run: the present latency of the table's reference network, divided by its latency in the table.

A table's milliseconds are those of the day it was measured. A budget in milliseconds means milliseconds of today. So a
search divides the budget by the clock. A budget that is a share of a network's latency does not depend on the clock.
Measured clocks are stored in `search-clock.json`, so that a killed search is replayed with the same budget.

A clock has an error of its own. It enters the interval of every prediction that is compared with a budget.

Networks that are measured on the device are measured alternately with the reference network (`clock_network`). So the
share of a budget that they take does not depend on what the machine did a second earlier.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edgenas.arch import Architecture
from edgenas.errors import StoreError
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import TABLE_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable
    from edgenas.measure import FileLatency

CLOCK_FILE = "search-clock.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How much slower the machine is at a moment than the run's table says.

    Attributes:
        factor: Present latency of the reference network over that in the table; 1 for the table's own moment.
        error: Relative standard error of it.
        at: The moment, UTC, in ISO 8601; empty for the table's own.
    """

    factor: float = 1.0
    error: float = 0.0
    at: str = ""


def is_timed(context: RunContext) -> bool:
    """Whether the clock matters to a search: there is a latency budget, and latencies come from the table.

    A search that measures latencies always uses the present clock.
    """
    target = context.settings.target
    limited = target.budget_ms is not None or target.budget_share is not None
    return context.settings.search.latency == "table" and limited


def measured_clock(context: RunContext) -> Clock:
    """Measure how much slower this machine is now than the run's table says; 1, with a warning, for a foreign table.

    What speaks against the table is said: its clock alone may not be all that changed.

    Raises:
        DeviceError: The runtime is not installed.
    """
    from edgenas.latency import local_device
    from edgenas.measure import check_table

    table = artifacts.table(context)
    elsewhere = table.device.differences(local_device())
    found = None if elsewhere else check_table(table, visits=1)
    differences = elsewhere if found is None else found.differences
    if found is None or differences:
        context.say(f"  WARNING: the latency table is not of this machine as it is ({'; '.join(differences)}): its "
                    "milliseconds are taken as they are.")  # fmt: skip
        return Clock()
    for line in found.doubts:
        context.say(f"  WARNING: the latency table may not hold any more: {line}")
    factor = found.reference_ms / table.reference.latency_ms
    return Clock(factor=factor, error=found.reference_error, at=found.at)


def present_clock(context: RunContext) -> Clock:
    """Return the clock of this process: that of the search's end where it searched, else one that is measured now.

    It is `Clock()` where the clock does not matter.
    """
    return context.once("clock", lambda: measured_clock(context) if is_timed(context) else Clock())


def clock_network(context: RunContext) -> Architecture | None:
    """Return the table's reference network, to be measured with others; None where no clock can be taken from it.

    That is so where the clock does not matter, and where the table is of another device or runtime.
    """
    from edgenas.arch.notation import parse_notation
    from edgenas.latency import local_device

    if not is_timed(context):
        return None
    table = artifacts.table(context)
    if table.device.differences(local_device()) or not _same_version(table):
        return None
    return parse_notation(table.reference.notation)


def _same_version(table: LatencyTable) -> bool:
    from edgenas.measure.engines.registry import runtime

    return runtime(table.runtime.runtime).version() == table.runtime.version


def clock_beside(context: RunContext, measured: FileLatency) -> Clock:
    """Return the clock of the moment in which the reference network was measured.

    Args:
        context: Of the run.
        measured: Latency of the reference network, `clock_network`, on this device, in ms.

    Returns:
        The clock; its error is infinite where that of the measurement is not known, so that it meets no budget.
    """
    known = artifacts.table(context).reference.latency_ms
    error = measured.standard_error_ms / measured.latency_ms
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Clock(factor=measured.latency_ms / known, error=error if math.isfinite(error) else math.inf, at=at)


def clock_of(context: RunContext, visit: int) -> Clock:
    """Return the n-th clock of a search: the stored one of an earlier start, else a measured one.

    Args:
        context: Of the run.
        visit: 0 before the search, 1 after it, and so on.
    """
    table = file_digest(context.directory.path / TABLE_FILE)
    known: list[Clock] = []
    if context.directory.has(CLOCK_FILE):
        try:
            kept = context.directory.read_json(CLOCK_FILE)
            known = [_clock(value) for value in kept["clocks"]] if kept["table"] == table else []
        except (StoreError, KeyError, TypeError, ValueError):
            known = []
    while len(known) <= visit:
        known.append(measured_clock(context))
        context.directory.write_json(CLOCK_FILE, {"table": table, "clocks": [asdict(clock) for clock in known]})
    return known[visit]


def _clock(kept: object) -> Clock:
    """Read one clock of the file; a search of an older version kept plain numbers."""
    if isinstance(kept, dict):
        found = Clock(factor=float(kept["factor"]), error=float(kept["error"]), at=str(kept["at"]))
    else:
        found = Clock(factor=float(kept))  # type: ignore[arg-type]
    if not (0 < found.factor < math.inf and 0 <= found.error < math.inf):
        raise ValueError("no clock")
    return found


def forget_clock(context: RunContext) -> None:
    """Delete the stored clocks of a finished search, so that the next search measures anew."""
    (context.directory.path / CLOCK_FILE).unlink(missing_ok=True)
