"""Finding latency tables: the shipped ones, and those in a user's folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenas.errors import EdgenasError, InputError, TableError, explain
from edgenas.latency.device import DeviceInfo, RuntimeInfo
from edgenas.latency.document import read_table
from edgenas.latency.table import LatencyTable
from edgenas.resources import resource_files, resource_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTable:
    """One file that may be a table.

    Attributes:
        path: The file.
        shipped: Whether it came with the package.
        table: Its content, or None.
        problem: Why it cannot be used; empty for a table.
    """

    path: Path
    shipped: bool
    table: LatencyTable | None
    problem: str = ""


def list_tables(folders: Sequence[str | Path] = ()) -> tuple[ListedTable, ...]:
    """List shipped tables and those under some folders. A broken one is listed with its problem.

    Args:
        folders: A user's folders, searched recursively.

    Raises:
        InputError: A folder does not exist.
    """
    found = [_listed(path, shipped=True) for path in resource_files("latency_tables", "*.json") if _is_table(path)]
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise InputError(explain(f"there is no folder {folder}"))
        found += [_listed(path, shipped=False) for path in sorted(folder.rglob("*.json")) if _is_table(path)]
    return tuple(found)


def shipped_table(space: str, *, device: DeviceInfo, runtime: RuntimeInfo) -> LatencyTable | None:
    """Return the shipped table for a space that was measured on this kind of device and runtime, or None.

    Args:
        space: Name of the space.
        device: The device at hand.
        runtime: The runtime and settings at hand.
    """
    for listed in list_tables():
        table = listed.table
        if table is not None and table.build.space == space:
            try:
                table.require(device=device, runtime=runtime)
            except TableError:
                continue
            return table
    return None


def shipped_name(table: LatencyTable) -> str:
    """Return where a table lies among the shipped ones: `<device>/<space>-<runtime>-<precision>-t1-hot.json`."""
    return f"{table.device.slug}/{table.build.space}-{table.runtime.slug}.json"


def open_table(name: str | Path) -> LatencyTable:
    """Read a table by path, or a shipped one by its name relative to `latency_tables/`.

    Raises:
        InputError: There is neither.
        TableError: It is broken.
    """
    path = Path(name)
    folder = resource_folder("latency_tables")
    if not path.is_file() and folder is not None and (folder / path).is_file():
        path = folder / path
    return read_table(path)


def _listed(path: Path, *, shipped: bool) -> ListedTable:
    try:
        return ListedTable(path=path, shipped=shipped, table=read_table(path))
    except EdgenasError as error:
        return ListedTable(path=path, shipped=shipped, table=None, problem=str(error))


def _is_table(path: Path) -> bool:
    """Whether a JSON file claims to be a table. Its first characters say so, even if the rest is damaged."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return '"edgenas-latency-table"' in file.read(200)
