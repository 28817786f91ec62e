"""The latency table of another device: opened, or measured on this machine and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.tables import Wanted, open_for

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable


def device_table(
    source: RunContext, out: Path, *, table: str | None, wanted: Wanted, force: bool = False
) -> LatencyTable:
    """Open a table, or measure one of the run's space on this machine; it is kept in the folder and not measured twice.

    Args:
        source: The run.
        out: Folder for the table and its samples.
        table: A file or a shipped table; None measures one.
        wanted: The target; ort, fp32 and the run's threads where it leaves them open and one is measured.
        force: Measure on a busy machine too.

    Raises:
        TableError: The table is broken or of another target.
        InputError: There is no such table.
        DeviceError: The runtime is missing or the machine is busy.
    """
    from edgenas.latency import read_table, write_table
    from edgenas.measure import build_table

    if table is not None:
        return open_for(table, wanted, here=False)
    runtime, precision = wanted.runtime or "ort", wanted.precision or "fp32"
    threads = wanted.threads or source.settings.target.threads
    directory, name = RunDirectory(path=out), f"latency/{runtime}-{precision}"
    kept = directory.file(f"{name}.json")
    if kept.is_file():
        found = read_table(kept)
        same = found.build.space_digest == artifacts.space(source).digest and found.runtime.threads == threads
        if same and is_here(found):
            return found
    with source.progress(f"measure a table of {runtime} {precision}") as report:
        found = build_table(
            artifacts.space(source),
            runtime=runtime,
            precision="fp32" if precision == "fp32" else "int8",
            threads=threads,
            networks=source.settings.latency.networks,
            samples=directory.file(f"{name}.samples.jsonl"),
            force=force,
            progress=report,
        )
    write_table(found, kept)
    return found


def is_here(table: LatencyTable) -> bool:
    """Whether a table is of this machine."""
    from edgenas.latency import local_device

    return not table.device.differences(local_device())
