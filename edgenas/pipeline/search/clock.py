"""The clock of a run: how long the table's reference network takes now, over what the table says.

A table's milliseconds are those of the day it was measured. A budget in milliseconds is about now, so it is brought to
the table's time before a search; a budget that is a share of a network's latency is the same at every clock. What was
measured as "now" is written down and read back, so that a killed search is replayed with the same budget.
"""

from __future__ import annotations

from edgenas.errors import StoreError
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import TABLE_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest

CLOCK_FILE = "search-clock.json"


def measured_clock(context: RunContext) -> float:
    """Measure how much slower this machine is now than the run's table says; 1 for a table of another device.

    Raises:
        DeviceError: The runtime is not installed.
    """
    from edgenas.latency import local_device
    from edgenas.measure import check_table

    table = artifacts.table(context)
    if table.device.differences(local_device()):
        return 1.0
    found = check_table(table, visits=1)
    return 1.0 if found.differences else found.reference_ms / table.reference.latency_ms


def clock_of(context: RunContext, visit: int) -> float:
    """Return the clock at the n-th look of a search: read where an earlier start of it looked, else measured.

    Args:
        context: Of the run.
        visit: 0 before the search, 1 after it, and so on.
    """
    table = file_digest(context.directory.path / TABLE_FILE)
    known: list[float] = []
    if context.directory.has(CLOCK_FILE):
        try:
            kept = context.directory.read_json(CLOCK_FILE)
            known = [float(value) for value in kept["clocks"]] if kept["table"] == table else []
        except (StoreError, KeyError, TypeError, ValueError):
            known = []
    while len(known) <= visit:
        known.append(measured_clock(context))
        context.directory.write_json(CLOCK_FILE, {"table": table, "clocks": known})
    return known[visit]


def forget_clock(context: RunContext) -> None:
    """Delete what a finished search looked at: the next one looks anew."""
    (context.directory.path / CLOCK_FILE).unlink(missing_ok=True)
