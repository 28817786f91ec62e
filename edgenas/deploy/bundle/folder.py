"""The folder of a bundle: complete or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from edgenas.errors import ExportError, StoreError, explain


def _beside(out: Path) -> tuple[Path, Path]:
    """Where a bundle is written, and where the one that it replaces waits meanwhile."""
    return out.with_name(f".{out.name}.partial"), out.with_name(f".{out.name}.old")


def restore(out: Path) -> None:
    """Put back the bundle that an export moved aside when it was killed in that very moment."""
    old = _beside(out)[1]
    if old.is_dir() and not out.exists():
        os.replace(old, out)


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
    partial, old = _beside(out)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items()))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir()
        for name, data in {**contents, "SHA256SUMS": sums.encode()}.items():
            (partial / name).write_bytes(data)
        if out.exists():
            if not force:
                raise ExportError(explain(f"{out} exists", remedy="Choose another folder, or replace it with --force."))
            os.replace(out, old)
        os.replace(partial, out)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise StoreError(explain(f"cannot write {out}", got=error.strerror or str(error))) from error
