"""Open the directory of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgenas.config.load import validate
from edgenas.config.settings import RunSettings
from edgenas.errors import StoreError, explain
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.types import ProgressFactory, Say
from edgenas.version import __version__


def open_run(path: Path, *, progress: ProgressFactory, say: Say) -> RunContext:
    """Open a run directory with the settings it was made with.

    Args:
        path: The run directory.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Raises:
        StoreError: It is no run directory.
        ConfigError: Its settings are of another version of edgenas.
    """
    if not (path / "settings.json").is_file():
        raise StoreError(
            explain(f"{path} is no run directory", got="no settings.json in it",
                    remedy="Give a folder that `edgenas run` made, such as runs/quickstart.")
        )  # fmt: skip
    directory = RunDirectory(path=path)
    document = directory.read_json("settings.json")
    document.pop("version", None)
    return RunContext(validate(document, source=str(path / "settings.json")), directory, progress=progress, say=say)


def settings_document(settings: RunSettings) -> dict[str, Any]:
    """Return the settings of a run as its `settings.json` holds them: with the version, and without a password."""
    from edgenas.study.database import address

    document = settings.model_dump()
    if settings.search.store is not None:
        document["search"]["store"] = address(settings.search.store)
    return {**document, "version": __version__}
