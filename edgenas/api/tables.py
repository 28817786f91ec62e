"""Latency tables: measured, validated, checked, listed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgenas.errors import InputError, TableError, explain
from edgenas.types import ProgressFactory

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable, ListedTable, Mode, Precision, RuntimeName
    from edgenas.measure import Check, Device
    from edgenas.space import SearchSpace


def measure_table(
    space: str | Path | SearchSpace,
    *,
    runtime: RuntimeName = "ort",
    precision: Precision = "fp32",
    threads: int = 1,
    mode: Mode = "hot",
    networks: int = 100,
    seconds: float = 60.0,
    scheme: str = "",
    seed: int = 0,
    out: str | Path | None = None,
    force: bool = False,
    device: str | Device | None = None,
    device_python: str = "python3",
    device_name: str = "",
    device_cpus: Literal["big", "all"] | Sequence[int] = "big",
    progress: ProgressFactory | None = None,
) -> LatencyTable:
    """Measure a latency table of a space, on this machine or on a device.

    Args:
        space: A space for the images that will be used; see `load_space`.
        runtime: `ort` (ONNX Runtime) or `litert`.
        precision: Of the files: fp32, fp16 or int8. int8 needs no images.
        threads: Threads within one operation.
        mode: `hot` (back-to-back runs) or `cold` (alternated with another network).
        networks: Networks to measure, 4 or more; 100 for a large space.
        seconds: Further visits begin within this time while measurements repeat badly; the first pass is always
            completed.
        scheme: int8 scheme of the writer; its default if empty.
        seed: Of the design and the order of measurements.
        out: File for the table, written when it is done; what is measured is kept beside it, so that the same call
            goes on where it was stopped. The table is only returned if None.
        force: Measure on a busy machine too.
        device: Command that runs a shell line on the device, such as "ssh user@host", or a `Device`; this machine if
            None.
        device_python: Python on that device, with numpy and the runtime. `~` is the home directory there.
        device_name: Name of a device that does not say which processor it has, else of its board.
        device_cpus: Its processors that measurements run on: `big` (the most powerful where there are several kinds),
            `all`, or their numbers.
        progress: Makes a progress display for a title; a bar, or lines, if None.

    Returns:
        The table, not validated; `validate_table` measures how wrong it is.

    Raises:
        SpaceError: There is no such space.
        InputError: Too few networks, or an unknown runtime, precision or mode.
        DeviceError: The runtime is missing, the machine is too busy, or the device went away.
        TableError: What lies beside `out` belongs to another build.
    """
    from edgenas.api.spaces import load_space
    from edgenas.display import progress_bar
    from edgenas.latency import write_table
    from edgenas.measure import build_table
    from edgenas.pipeline.core.lock import writing_beside

    file = None if out is None else Path(out)
    chosen = load_space(space)
    there = _device(device, device_python, device_name, device_cpus)
    alone = nullcontext() if file is None else writing_beside(file)
    with alone, there as where, (progress or progress_bar)("measure the table") as report:
        table = build_table(
            chosen, runtime=runtime, precision=precision, threads=threads, mode=mode, scheme=scheme,
            networks=networks, seconds=seconds, seed=seed, force=force, device=where, progress=report,
            samples=None if file is None else file.with_suffix(".samples.jsonl"),
        )  # fmt: skip
        if file is not None:
            write_table(table, file)
    return table


def load_table(table: str | Path | LatencyTable) -> LatencyTable:
    """Read a latency table.

    Args:
        table: A file, the name of a shipped table (see `list_tables`), or a table.

    Raises:
        InputError: There is no such table.
        TableError: It is broken.
    """
    from edgenas.latency import LatencyTable, open_table

    if isinstance(table, LatencyTable):
        return table
    if not isinstance(table, str | Path):
        allowed = "a file, the name of a shipped table, or a table"
        raise TableError(explain("this is no latency table", got=type(table).__name__, allowed=allowed))
    return open_table(table)


def validate_table(
    table: str | Path | LatencyTable,
    *,
    networks: int = 80,
    space: str | Path | SearchSpace | None = None,
    seed: int = 0,
    force: bool = False,
    device: str | Device | None = None,
    device_python: str = "python3",
    device_name: str = "",
    device_cpus: Literal["big", "all"] | Sequence[int] = "big",
    progress: ProgressFactory | None = None,
) -> LatencyTable:
    """Measure networks that a table has not seen, and say how wrong it was about them.

    Args:
        table: See `load_table`. A file is written anew with its error.
        networks: Held-out networks to measure.
        space: The space it was built for; found by its name if None.
        seed: Draws the networks.
        force, device, device_python, device_name, device_cpus: See `measure_table`.
        progress: Makes a progress display for a title; a bar, or lines, if None.

    Returns:
        The table with its `validation`.

    Raises:
        TableError: The table is broken, or of another space, device or runtime.
        InputError: There is no such table, or no network to measure.
        DeviceError: The runtime is missing or the machine too busy.
    """
    from edgenas.display import progress_bar
    from edgenas.latency import LatencyTable, write_table
    from edgenas.measure import validate_table as validate
    from edgenas.pipeline.core.lock import writing_beside

    found = load_table(table)
    there = _device(device, device_python, device_name, device_cpus)
    alone = nullcontext() if isinstance(table, LatencyTable) else writing_beside(Path(table))
    with alone, there as where, (progress or progress_bar)("measure held-out networks") as report:
        checked = validate(
            found, space_of(found, space), networks=networks, seed=seed, force=force, device=where, progress=report
        )
        if not isinstance(table, LatencyTable):
            write_table(checked, Path(table))
    return checked


def check_table(
    table: str | Path | LatencyTable,
    *,
    device: str | Device | None = None,
    device_python: str = "python3",
    device_name: str = "",
    device_cpus: Literal["big", "all"] | Sequence[int] = "big",
) -> Check:
    """Say in seconds whether a table is still true on this machine, or on a device.

    Args:
        table: See `load_table`.
        device, device_python, device_name, device_cpus: See `measure_table`.

    Returns:
        What was found; `.passed` says whether the table holds.

    Raises:
        InputError: There is no such table.
        TableError: It is broken.
        DeviceError: The runtime is missing or the device went away.
    """
    from edgenas.measure import check_table as check

    found = load_table(table)
    with _device(device, device_python, device_name, device_cpus) as where:
        return check(found, device=where)


def list_tables(folders: Sequence[str | Path] = ()) -> tuple[ListedTable, ...]:
    """List the shipped tables and those in folders of one's own, broken ones with what is wrong with them.

    Args:
        folders: Searched with what lies below them.

    Raises:
        InputError: A folder does not exist.
    """
    from edgenas.latency import list_tables as listed

    return listed(folders)


def space_of(table: LatencyTable, named: str | Path | SearchSpace | None = None) -> SearchSpace:
    """Return the space that a table was built for.

    Args:
        table: The table.
        named: A preset, file or space; the preset of the table's space, for its task, if None.

    Raises:
        SpaceError: The space cannot be found.
    """
    from edgenas.api.spaces import load_space
    from edgenas.arch.notation import parse_notation

    space = load_space(named or table.build.space)
    if space.digest == table.build.space_digest:
        return space
    reference = parse_notation(table.reference.notation)
    return load_space(
        space, classes=reference.classes, channels=reference.in_channels, resolutions=[reference.resolution]
    )


def _device(
    device: str | Device | None, python: str, name: str, cpus: Literal["big", "all"] | Sequence[int]
) -> AbstractContextManager[Device | None]:
    if not isinstance(device, str):
        if name or cpus != "big":
            what = "a name or processors of a device, without a command that reaches one"
            remedy = "Give the command; on this machine set EDGENAS_DEVICE_NAME, and choose processors with `taskset`."
            raise InputError(explain(what, got=f"name {name!r}, processors {cpus!r}", remedy=remedy))
        return nullcontext(device)
    from edgenas.measure import RemoteDevice

    return RemoteDevice(device, python=python, name=name, cpus=cpus)
