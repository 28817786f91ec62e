"""Runs as a list, as one file, and deleting them; checking a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.api.runs import Run

if TYPE_CHECKING:
    from edgenas.pipeline.commands.run_folders.listing import RunInfo
    from edgenas.study.verify import StoreCheck


def list_runs(folder: str | Path = "runs") -> tuple[RunInfo, ...]:
    """Return the runs of a folder, by name, with how far each one is. Nothing is written.

    Args:
        folder: Where runs are made: `output` of their configurations.

    Raises:
        StoreError: There is no such folder.
    """
    from edgenas.pipeline.commands.run_folders.listing import listed_runs

    return listed_runs(Path(folder).expanduser())


def run_info(run: str | Path | Run) -> RunInfo:
    """Return how far a run is, without loading it; `open_run` opens its results.

    Args:
        run: A run or its directory.

    Raises:
        StoreError: It is no run directory.
    """
    from edgenas.pipeline.commands.run_folders import listing

    return listing.run_info(listing.require_run(_path(run)))


def export_run(run: str | Path | Run, file: str | Path, *, force: bool = False) -> Path:
    """Write a run into one file: `.csv` or `.json` of every judged network, or a `.zip` of all its results.

    Args:
        run: A run or its directory; it is only read.
        file: Its ending says what is written.
        force: Replace a file that is there.

    Returns:
        The path of the file.

    Raises:
        InputError: The ending is none of these, or the file is there already.
        StoreError: It is no run, it has no search yet, or the file cannot be written.
    """
    from edgenas.pipeline.commands.run_folders.export import exported_run
    from edgenas.pipeline.commands.run_folders.listing import require_run

    return exported_run(require_run(_path(run)), Path(file).expanduser(), force=force)


def delete_run(run: str | Path | Run) -> None:
    """Delete a run directory with all that is in it. Evaluations in a store elsewhere stay.

    Args:
        run: A run or its directory.

    Raises:
        StoreError: It is no run, a process works on it, or it cannot be deleted.
    """
    from edgenas.pipeline.commands.run_folders.delete import deleted_run, swept
    from edgenas.pipeline.commands.run_folders.listing import require_run

    path = require_run(_path(run))
    deleted_run(path)
    swept(path.parent)


def verify_store(place: str | Path | Run, *, repair: bool = False) -> StoreCheck:
    """Read every entry of a store of evaluations, and say what is wrong with it.

    Args:
        place: Path of an SQLite file, an SQLAlchemy URL, or a run, whose store is then checked.
        repair: Remove damaged entries, so that they are evaluated again, and set a damaged file aside.

    Returns:
        What was found.

    Raises:
        StoreError: There is no store, or it cannot be opened.
    """
    from edgenas.pipeline.commands.run_folders.store_place import store_of
    from edgenas.study import verify

    return verify.verify_store(store_of(place.path if isinstance(place, Run) else place), repair=repair)


def _path(run: str | Path | Run) -> Path:
    return run.path if isinstance(run, Run) else Path(run).expanduser()
