"""Mean and deviation of training images, kept in the cache."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from edgenas import atomic
from edgenas.data.cache.place import STATISTICS
from edgenas.data.network_input import SAMPLE, Preprocessing, fit_preprocessing
from edgenas.data.settings import ResizeMode
from edgenas.data.values import ImageData
from edgenas.errors import DataError, StoreError
from edgenas.reading.json_text import read_json

VERSION = 1
"""Raise it when the way to compute them changes."""


def fitted_preprocessing(data: ImageData, *, resize: ResizeMode = "crop") -> Preprocessing:
    """Return the preprocessing by the training images; see `fit_preprocessing`. It is computed once for a set.

    Args:
        data: Images; their settings name the cache, if there is one.
        resize: How deployed code shall resize other images.
    """
    cache = None if data.settings is None else data.settings.cache_dir
    if cache is None:
        return fit_preprocessing(data.train, resize=resize)
    # Images in memory all count, others are sampled.
    whole = hasattr(data.train, "images") or len(data.train) <= SAMPLE
    name = sha256(f"{VERSION} {data.digest} {len(data.train)} {'all' if whole else SAMPLE}".encode()).hexdigest()[:32]
    file = Path(cache).expanduser() / STATISTICS / f"{name}.json"
    found = _kept(file, data)
    if found is None:
        found = fit_preprocessing(data.train)
        # It only saves time.
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(file, found.to_dict())
    return replace(found, resize=resize)


def _kept(file: Path, data: ImageData) -> Preprocessing | None:
    if not file.is_file():
        return None
    try:
        found = Preprocessing.from_dict(read_json(file, what="statistics", error=StoreError))
    except (StoreError, DataError, TypeError, AttributeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return found if (found.resolution, found.channels) == (data.resolution, data.channels) else None
