"""The registry of sources of images. Each row lies beside its reader and is imported when images are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgenas.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A form in which images may come; the entries of `SOURCES`.

    Attributes:
        read: From the `DataSettings` to a `RawData` of `edgenas.data.sources.raw`;
            raises `DataError` where they cannot be used.
        needs_path: Whether `data.path` must be set.
    """

    read: Callable[[Any], Any]
    needs_path: bool = True


SOURCES: Registry[Source] = Registry(
    "data source",
    group="edgenas.sources",
    entries={name: f"edgenas.data.sources.{name}:SOURCE" for name in ("digits", "npz", "idx", "folder", "huggingface")},
    check=lambda found: isinstance(found, Source),
    expected="an edgenas.data.Source",
)
"""Entry points of the group `edgenas.sources` add to it."""
