"""The cache that all runs share: what it holds, and clearing it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.errors import StoreError, explain

if TYPE_CHECKING:
    from edgenas.data.cache.room import CacheEntry


def cache_folder(folder: str | Path | None = None) -> Path:
    """Return the folder of the cache.

    Args:
        folder: Of another cache (`data.cache_dir`); EDGENAS_CACHE, or `~/.cache/edgenas`, if None.
    """
    from edgenas.data.cache.place import default_cache

    return default_cache() if folder is None else Path(folder).expanduser()


def list_cache(folder: str | Path | None = None) -> list[CacheEntry]:
    """Return what the cache holds of images, least recently used first.

    Args:
        folder: See `cache_folder`.
    """
    from edgenas.data.cache.room import entries

    return entries(cache_folder(folder))


def clear_cache(folder: str | Path | None = None) -> tuple[Sequence[CacheEntry], Sequence[CacheEntry]]:
    """Remove what the cache holds of images, except for what a process uses now.

    Args:
        folder: See `cache_folder`.

    Returns:
        What was removed, and what was left.

    Raises:
        StoreError: It cannot be removed.
    """
    from edgenas.data.cache.room import entries, remove

    gone: list[CacheEntry] = []
    left: list[CacheEntry] = []
    for entry in entries(cache_folder(folder)):
        try:
            (gone if remove(entry) else left).append(entry)
        except OSError as error:
            raise StoreError(explain(f"cannot remove {entry.path}: {error.strerror}")) from error
    return gone, left
