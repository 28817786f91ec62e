"""Deleting a run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgenas import atomic
from edgenas.errors import StoreError
from edgenas.pipeline.core.directory import cannot_write
from edgenas.pipeline.core.lock import locked


def deleted_run(run: Path) -> None:
    """Delete a run directory, all of it: at any moment it is whole or gone. A store elsewhere keeps its evaluations.

    Args:
        run: The run directory, no link.

    Raises:
        StoreError: A process works on it, or it cannot be deleted.
    """
    try:
        with locked(run) as writable:
            if not writable:
                raise StoreError(f"cannot delete {run}: it cannot be written. Make it writable first.")
            aside = atomic.draft_of(run)
            os.replace(run, aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise cannot_write(run, error) from error


def swept(folder: Path) -> None:
    """Delete what a killed deletion left in a folder of runs."""
    atomic.sweep(folder)
