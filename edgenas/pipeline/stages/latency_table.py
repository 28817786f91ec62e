"""The table stage: load and check a latency table of the space, or measure one here."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import TABLE_FILE, TABLE_SUMMARY_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.core.tables import Wanted, open_for
from edgenas.reading.json_text import plain_text

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable


def _inputs(context: RunContext) -> Mapping[str, Any]:
    from edgenas.latency import local_device, table_digest
    from edgenas.measure import runtime

    if context.given.table is not None:
        return {"space": artifacts.space(context).digest, "given": table_digest(context.given.table)}
    settings = context.settings
    named = settings.latency.table
    return {
        "space": artifacts.space(context).digest,
        "runtime": settings.target.runtime,
        "runtime_version": runtime(settings.target.runtime).version(),
        "precision": settings.target.precision,
        "threads": settings.target.threads,
        "latency": settings.latency.model_dump(exclude={"force"}),
        "table": file_digest(Path(named)) if named and Path(named).is_file() else named,
        "device": local_device().slug,
    }


def _load(context: RunContext, named: str) -> LatencyTable:
    """Open a table and make sure that it is of this target, this machine and this space."""
    target = context.settings.target
    wanted = Wanted(target.runtime, target.precision, target.threads)
    return open_for(named, wanted, here=True, space=artifacts.space(context))


def _shipped(context: RunContext) -> LatencyTable | None:
    """Return the shipped table of this space, machine and runtime if there is one that still holds."""
    from edgenas.latency import list_tables
    from edgenas.measure import check_table, present

    target = context.settings.target
    wanted = (target.runtime, target.precision, target.threads, "hot")
    for listed in list_tables():
        table = listed.table
        if table is None or table.build.space_digest != artifacts.space(context).digest:
            continue
        info = table.runtime
        if (info.runtime, info.precision, info.threads, info.mode) != wanted:
            continue
        found = check_table(table)
        if found.passed:
            # The table's milliseconds are those of the day it was built. The front is measured at today's clock.
            return present(table, found)
        context.say(f"  the shipped table {listed.path.parent.name}/{listed.path.name} does not hold here:")
        for reason in (*found.differences, *found.doubts):
            context.say(f"    {reason}")
    return None


def _measure(context: RunContext) -> LatencyTable:
    from edgenas.measure import build_table, validate_table

    settings, target = context.settings.latency, context.settings.target
    # Samples of another space, target or number of networks cannot be used, so they have another file.
    mark = hashlib.sha256(plain_text(_inputs(context), sort_keys=True).encode()).hexdigest()[:12]
    with context.progress("measure the latency table") as report:
        table = build_table(
            artifacts.space(context),
            runtime=target.runtime,
            precision=target.precision,
            threads=target.threads,
            networks=settings.networks,
            samples=context.directory.file(f"latency/samples-{mark}.jsonl"),
            force=settings.force,
            progress=report,
        )
    if not settings.validation_networks:
        return table
    with context.progress("measure held-out networks") as report:
        return validate_table(
            table,
            artifacts.space(context),
            networks=settings.validation_networks,
            force=settings.force,
            progress=report,
        )


def _run(context: RunContext) -> None:
    from edgenas.latency import write_table

    named, given = context.settings.latency.table, context.given.table
    table, origin = (_load(context, named), named) if named else (None, "shipped, checked on this machine")
    if given is not None:
        table, origin = given, "given"
    if table is None and context.settings.latency.use_shipped:
        table = _shipped(context)
    if table is None:
        table, origin = _measure(context), "measured for this run"
    write_table(table, context.directory.file(TABLE_FILE))
    context.directory.write_json(TABLE_SUMMARY_FILE, table_summary(table, origin=origin or ""))
    for line in (*table.build.warnings, *table.faults):
        context.say(f"  WARNING: {line}")
    checked = table.validation
    if checked is None:
        context.say("  the table was not validated: the error of its predictions is not known")
    else:
        context.say(
            f"  {len(table.entries)} entries; on {checked.networks} held-out networks the mean error is "
            f"{checked.mape_percent:.2f} %, {checked.within_5_percent:.0f} % lie within 5 %"
        )
        if checked.loops is not None:
            context.say(
                f"  against loops in fresh processes: bias {checked.loops.bias_percent:+.2f} "
                f"+- {checked.loops.bias_error_percent:.2f} % on {checked.loops.networks} networks"
            )


def table_summary(table: LatencyTable, *, origin: str) -> dict[str, Any]:
    """Return what a report shows of a table.

    Args:
        table: The table.
        origin: Where it comes from.
    """
    checked, validation = table.validation, None
    if checked is not None:
        validation = {
            key: value
            for key, value in dataclasses.asdict(checked).items()
            if key not in ("predicted_ms", "measured_ms", "networks")
        }
        validation["networks"] = [
            {"predicted_ms": predicted, "measured_ms": measured}
            for predicted, measured in zip(checked.predicted_ms, checked.measured_ms, strict=True)
        ]
    return {
        "device": dataclasses.asdict(table.device),
        "runtime": dataclasses.asdict(table.runtime),
        "entries": len(table.entries),
        "origin": origin,
        "interval_percent": 100 * table.interval.relative,
        "at": table.reference.at,
        "floor_ms": table.build.floor_ms,
        "seconds": table.build.seconds,
        "warnings": [*table.build.warnings, *table.faults],
        "validation": validation,
    }


STAGE: Stage[RunContext] = Stage(
    name="table",
    title="build or check the latency table",
    needs=("data",),
    outputs=(TABLE_FILE, TABLE_SUMMARY_FILE),
    inputs=_inputs,
    run=_run,
)
