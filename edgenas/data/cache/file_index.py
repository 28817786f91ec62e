"""What is known of the files of a data folder, kept between starts, so that an unchanged file is not opened again."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgenas.data.cache.place import INDEXES
from edgenas.data.cache.sealed import read_sealed, write_sealed

VERSION = 1
"""Raise it when the columns or their meaning change: what Pillow reads may change the rest."""

STATE = ("size", "mtime_ns", "ctime_ns", "inode")
"""Of a file: unchanged where all are as they were. No program can set the time of the inode's last change."""

FACTS = np.dtype(
    [
        *((name, "<u8") for name in STATE),
        ("content", "<u8"),
        ("height", "<i4"),
        ("width", "<i4"),
        ("channels", "u1"),
        ("animated", "?"),
        ("has_header", "?"),
        ("has_content", "?"),
    ]
)
SETTLED_NS = 2 * 10**9
"""A file changed later than this before it was looked at may change once more without a new time: it is not kept."""

_NAMES_CODEC = ("utf-8", "surrogateescape")
_DAMAGED = "The index of {root} in the cache was damaged; it has been made again."


class FoundFiles(NamedTuple):
    """Files as a folder lists them.

    Attributes:
        names: Relative to the folder, with "/".
        state: (N, 4) uint64, in the order of `STATE`.
    """

    names: tuple[str, ...]
    state: NDArray[np.uint64]


class FileIndex:
    """Facts of the files of one folder.

    Attributes:
        names: Of the files, relative to the folder.
        facts: (N,) of type `FACTS`. A fact counts where `has_header` or `has_content` says so.
        notes: What a user may not expect, one sentence each.
    """

    def __init__(self, root: str | os.PathLike[str], found: FoundFiles, *, cache_dir: str | None) -> None:
        """Take over what is known of files that have not changed.

        Args:
            root: The folder.
            found: Its files as they are now.
            cache_dir: Folder of the cache; None keeps nothing.
        """
        self._root = os.path.realpath(root)
        self._looked_ns = time.time_ns()
        self._file = None if cache_dir is None else _place(Path(cache_dir).expanduser(), self._root)
        self.notes: tuple[str, ...] = ()
        self.names = found.names
        self.facts = np.zeros(len(found.names), FACTS)
        for column, name in enumerate(STATE):
            self.facts[name] = found.state[:, column]
        self._take_over()
        self._kept = self._known()

    def set_header(self, index: int, *, size: tuple[int, int], channels: int, animated: bool) -> None:
        """Keep what the header of a file says; called from several threads."""
        row = self.facts[index]
        row["height"], row["width"], row["channels"], row["animated"] = *size, channels, animated
        row["has_header"] = True

    def set_content(self, index: int, number: int) -> None:
        """Keep the number of a file's content; called from several threads."""
        row = self.facts[index]
        row["content"] = number
        row["has_content"] = True

    def content(self, index: int) -> int | None:
        """Return the number of a file's content; None where it was not read yet."""
        row = self.facts[index]
        return int(row["content"]) if row["has_content"] else None

    def save(self) -> None:
        """Write what is known, if it is more than before. A cache that cannot be written is noted."""
        if self._file is None or self._known() == self._kept:
            return
        facts = self.facts.copy()
        unsettled = facts["ctime_ns"].astype(np.int64) > self._looked_ns - SETTLED_NS
        facts["has_header"][unsettled] = facts["has_content"][unsettled] = False
        names = np.frombuffer("\0".join(self.names).encode(*_NAMES_CODEC), np.uint8)
        root = np.frombuffer(self._root.encode(*_NAMES_CODEC), np.uint8)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(self._file, {"version": np.array(VERSION), "root": root, "names": names, "facts": facts})
        except OSError as error:
            where = self._file.parent.parent
            self._file = None
            self.notes += (
                f"What is known of the files cannot be kept in {where} ({error.strerror}); every start reads them all.",
            )
        self._kept = self._known()

    def _known(self) -> tuple[int, int]:
        return int(self.facts["has_header"].sum()), int(self.facts["has_content"].sum())

    def _take_over(self) -> None:
        stored = self._load()
        if stored is None:
            return
        names, facts = stored
        if names == self.names:
            rows = here = np.arange(len(names))
        else:
            places = {name: row for row, name in enumerate(names)}
            found = np.fromiter((places.get(name, -1) for name in self.names), np.int64, len(self.names))
            here = np.flatnonzero(found >= 0)
            rows = found[here]
        same = np.ones(len(rows), bool)
        for name in STATE:
            same &= facts[name][rows] == self.facts[name][here]
        self.facts[here[same]] = facts[rows[same]]

    def _load(self) -> tuple[tuple[str, ...], NDArray[np.void]] | None:
        if self._file is None:
            return None
        try:
            stored = read_sealed(self._file)
            if stored is None or int(stored["version"]) != VERSION:
                return None
            names, facts = _split(stored["names"]), stored["facts"]
            if facts.dtype != FACTS or len(names) != len(facts):
                raise ValueError("names and facts do not agree")
        except (ValueError, KeyError, TypeError, OSError):
            self.notes += (_DAMAGED.format(root=self._root),)
            return None
        with contextlib.suppress(OSError):
            os.utime(self._file)
        return names, facts  # type: ignore[return-value]


def indexed_root(file: Path) -> str:
    """Return the folder that an index in the cache is of, for a listing; "damaged" where it cannot be read."""
    try:
        stored = read_sealed(file)
        return "" if stored is None else stored["root"].tobytes().decode(*_NAMES_CODEC)
    except (ValueError, KeyError, OSError):
        return "damaged"


def join(parts: Sequence[FoundFiles]) -> FoundFiles:
    """Return the files of several parts of a folder in one value."""
    states = [part.state for part in parts]
    names = tuple(name for part in parts for name in part.names)
    return FoundFiles(names, np.concatenate(states) if states else np.zeros((0, len(STATE)), np.uint64))


def _place(cache: Path, root: str) -> Path:
    return cache / INDEXES / f"{sha256(root.encode(*_NAMES_CODEC)).hexdigest()[:32]}.index"


def _split(names: NDArray[np.generic]) -> tuple[str, ...]:
    text = names.tobytes().decode(*_NAMES_CODEC)
    return tuple(text.split("\0")) if text else ()
