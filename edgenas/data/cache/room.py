"""Room in the shared cache: what it holds, its limit, and which entries go first."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgenas.data.cache.file_index import indexed_root
from edgenas.data.cache.locks import is_held, only_writer
from edgenas.data.cache.place import IMAGES, INDEXES, STATISTICS
from edgenas.data.cache.store import ABOUT_FILE, ROWS_FILE
from edgenas.errors import StoreError
from edgenas.reading.json_text import read_json

SPARE_BYTES = 256 * 2**20
"""Left on the disk for everything else."""
_REMOVED = ".removed-"
_OURS = re.compile(r"[0-9a-f]{32}(\.index|\.json)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One entry of the cache.

    Attributes:
        path: Its folder or file.
        kind: Prepared images, an index of files, or statistics.
        what: The data set, and for images their size.
        nbytes: On the disk.
        used: When it was last used, seconds since 1970.
        in_use: Whether a process reads or writes it now.
    """

    path: Path
    kind: Literal["images", "index", "statistics"]
    what: str
    nbytes: int
    used: float
    in_use: bool


def entries(cache: Path) -> list[CacheEntry]:
    """Return what a cache holds, least recently used first."""
    _sweep(cache / IMAGES)
    found = [_image_entry(folder) for folder in _inside(cache / IMAGES) if folder.is_dir()]
    found += [_file_entry(file, "index", indexed_root(file)) for file in _inside(cache / INDEXES)]
    found += [_file_entry(file, "statistics", "mean and deviation") for file in _inside(cache / STATISTICS)]
    return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.used)


def make_room(cache: Path, wanted_bytes: int, *, limit_gib: float | None, keep: Path) -> bool:
    """Remove the entries of images that were not used for longest until further bytes fit.

    Args:
        cache: Folder of the cache.
        wanted_bytes: What is to be added.
        limit_gib: Largest size of all prepared images; None takes half of what the disk has for them.
        keep: The entry that grows.

    Returns:
        Whether they fit. If they would not, nothing is removed.
    """
    images = [entry for entry in entries(cache) if entry.kind == "images"]
    used, free = sum(entry.nbytes for entry in images), shutil.disk_usage(cache).free
    limit = (free + used) // 2 if limit_gib is None else int(limit_gib * 2**30)
    excess = max(used + wanted_bytes - limit, wanted_bytes + SPARE_BYTES - free)
    going: list[CacheEntry] = []
    for entry in images:
        if excess <= 0:
            break
        if entry.path != keep and not entry.in_use:
            going.append(entry)
            excess -= entry.nbytes
    if excess > 0:
        return False
    # One that a process took up in the meantime stays. The limit is then passed by it until the next start.
    for entry in going:
        remove(entry)
    return True


def remove(entry: CacheEntry) -> bool:
    """Remove an entry, unless a process uses it; return whether it is gone.

    Raises:
        OSError: It cannot be removed.
    """
    if entry.kind != "images":
        entry.path.unlink(missing_ok=True)
        return True
    try:
        with only_writer(_lock(entry.path), waiting=_give_up):
            if is_held(entry.path / ROWS_FILE):
                return False
            # Renamed first: a process that is killed here leaves no half entry.
            aside = entry.path.with_name(f"{_REMOVED}{uuid.uuid4().hex[:12]}")
            os.replace(entry.path, aside)
    except _InUse:
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


class _InUse(Exception):
    pass


def _give_up() -> None:
    raise _InUse


def _lock(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.lock"


def _image_entry(folder: Path) -> CacheEntry | None:
    try:
        used = (folder / ABOUT_FILE).stat().st_mtime
        nbytes = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
    except OSError:
        return None
    try:
        about = read_json(folder / ABOUT_FILE, what="the cache's description", error=StoreError)
        height, width, channels = about["shape"]
        what = f"{about['source']} {about['place']}, {height} x {width} x {channels}"
    except (StoreError, KeyError, TypeError, ValueError):
        what = "damaged"
    in_use = is_held(folder / ROWS_FILE) or is_held(_lock(folder))
    return CacheEntry(path=folder, kind="images", what=what, nbytes=nbytes, used=used, in_use=in_use)


def _file_entry(file: Path, kind: Literal["index", "statistics"], what: str) -> CacheEntry | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return CacheEntry(path=file, kind=kind, what=what, nbytes=state.st_size, used=state.st_mtime, in_use=False)


def _inside(folder: Path) -> list[Path]:
    try:
        # Whatever else lies there is not ours to count or to remove.
        return sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))
    except OSError:
        return []


def _sweep(folder: Path) -> None:
    """Finish what a killed process began to remove."""
    with contextlib.suppress(OSError):
        for left in folder.glob(f"{_REMOVED}*"):
            shutil.rmtree(left, ignore_errors=True)
