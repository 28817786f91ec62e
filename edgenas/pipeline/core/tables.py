"""Opening a latency table that a user named. A table of another target is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgenas.errors import TableError, explain
from edgenas.types import Say

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable
    from edgenas.space import SearchSpace


class Wanted(NamedTuple):
    """Requirements on how a table was measured; None accepts any value."""

    runtime: str | None = None
    precision: str | None = None
    threads: int | None = None


def open_for(name: str, wanted: Wanted, *, here: bool, space: SearchSpace | None = None) -> LatencyTable:
    """Open a table and make sure that it may be used.

    Args:
        name: A file, or a shipped table.
        wanted: The target.
        here: Whether the table must be of this machine and its runtime. If not, the runtime is checked only for a table
            whose device is this one.
        space: All of its networks must be predictable; None to not ask.

    Raises:
        InputError: There is no such table.
        TableError: It is broken, or of another target, device, runtime version, mode or space.
    """
    from edgenas.latency import open_table

    table = open_table(name)
    require_usable_table(table, wanted, here=here, space=space, name=name)
    return table


def require_usable_table(
    table: LatencyTable, wanted: Wanted, *, here: bool, space: SearchSpace | None = None, name: str = ""
) -> None:
    """Refuse a table as `open_for` does.

    Raises:
        TableError: See `open_for`.
        DeviceError: The runtime is not installed.
    """
    from edgenas.latency import SpaceLatency, local_device
    from edgenas.measure.table.validate import require_here

    info = table.runtime
    found = Wanted(info.runtime, info.precision, info.threads)
    if any(asked is not None and asked != has for asked, has in zip(wanted, found, strict=True)):
        raise TableError(
            explain(
                f"the latency table {name} is of another target",
                got="{} {} with {} thread(s)".format(*found),
                allowed="{} {} with {} thread(s)".format(
                    *(has if asked is None else asked for asked, has in zip(wanted, found, strict=True))
                ),
                remedy="Leave the table out to measure one, or name the target that it is of.",
            )
        )
    if info.mode != "hot":
        raise TableError(
            explain(f"the latency table {name} is of another mode", got=info.mode,
                    allowed="hot: budgets are about back-to-back runs", remedy="Build one with --mode hot.")
        )  # fmt: skip
    if here or not table.device.differences(local_device()):
        require_here(table)
    if space is not None:
        try:
            SpaceLatency(table, space)
        except TableError as error:
            if table.build.space_digest == space.digest:
                raise
            raise TableError(
                explain(f"the table is of another space: {error}", got=table.build.space,
                        allowed=f"one that covers {space.name} as it is here",
                        remedy="Measure one with `edgenas latency build`, or leave the table out.")
            ) from error  # fmt: skip


def own_table(path: Path, wanted: Wanted, *, say: Say) -> LatencyTable | None:
    """Return the table of a run if it is of a target on this machine; else None, and `say` tells why.

    Args:
        path: The file; it need not exist.
        wanted: The target.
        say: Told why the table is of no use.

    Raises:
        TableError: It is broken.
    """
    from edgenas.latency import read_table

    if not path.is_file():
        return None
    table = read_table(path)
    try:
        require_usable_table(table, wanted, here=True, name=str(path))
    except TableError as error:
        say(f"  {error}")
        return None
    return table
