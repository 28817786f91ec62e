"""Where the evaluations of a run are stored."""

from __future__ import annotations

from pathlib import Path

from edgenas.pipeline.commands.run_folders.listing import is_run
from edgenas.pipeline.core.artifacts import STORE_FILE
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.next_run import settings_of


def store_of(place: str | Path) -> str | Path:
    """Return the store of a run; any other place is one itself.

    Args:
        place: A run directory, the path of a store, or a URL.
    """
    if "://" in str(place):
        return place
    path = Path(place).expanduser()
    if not is_run(path):
        return path
    settings = settings_of(RunDirectory(path=path)) or {}
    named = settings.get("search", {}).get("store")
    return named or path / STORE_FILE
