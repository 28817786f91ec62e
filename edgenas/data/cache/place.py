"""Where the cache that all runs share lies, and the folders in it."""

from __future__ import annotations

import os
from pathlib import Path

PLACE_VARIABLE = "EDGENAS_CACHE"
IMAGES, INDEXES, STATISTICS = "images", "index", "statistics"
"""Folders of the cache: prepared images, one index a data folder, mean and deviation of training images."""


def default_cache() -> Path:
    """Return the folder of the shared cache: EDGENAS_CACHE, or `edgenas` in the user's cache (XDG_CACHE_HOME)."""
    named = os.environ.get(PLACE_VARIABLE)
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edgenas"
