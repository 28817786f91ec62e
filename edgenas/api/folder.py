"""The folder of a job: one that the user names, or a temporary one that is removed with the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folder:
    """Where a job keeps its files. A temporary folder exists as long as this value does.

    Attributes:
        path: The folder.
        temporary: Removes the folder when it is garbage collected; None for a folder that stays.
    """

    path: Path
    temporary: TemporaryDirectory[str] | None = field(default=None, repr=False)


def folder_of(job: str, path: str | Path | None) -> Folder:
    """Return the folder of a job.

    Args:
        job: Names a temporary folder.
        path: The folder that was asked for; a temporary one if None.
    """
    if path is not None:
        return Folder(path=Path(path).expanduser())
    temporary = TemporaryDirectory(prefix=f"edgenas-{job}-", ignore_cleanup_errors=True)
    # A name of a run: letters, digits, dots, underscores and hyphens.
    return Folder(path=Path(temporary.name), temporary=temporary)
