"""The folder of a bundle: complete or not there at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from edgenas import atomic
from edgenas.errors import ExportError, StoreError, explain


def restore(out: Path) -> None:
    """Put back the bundle that an export moved aside when it was killed in that very moment."""
    atomic.restore_folder(out)


def write_folder(out: Path, contents: Mapping[str, bytes], *, force: bool) -> None:
    """Write beside the final place and move: a killed export leaves no half bundle.

    Args:
        out: The folder.
        contents: Bytes by name; `SHA256SUMS` is added.
        force: Replace a folder that exists.

    Raises:
        ExportError: It exists, and is not to be replaced.
        StoreError: It cannot be written; what was there is still there.
    """
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items()))
    try:
        with atomic.staged_folder(out) as draft:
            for name, data in {**contents, "SHA256SUMS": sums.encode()}.items():
                (draft / name).write_bytes(data)
            if out.exists() and not force:
                raise ExportError(explain(f"{out} exists", remedy="Choose another folder, or replace it with --force."))
    except OSError as error:
        what = error.strerror or str(error)
        raise StoreError(explain(f"cannot write {out}", got=what, remedy=atomic.remedy_for(error))) from error
