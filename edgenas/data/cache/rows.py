"""Prepared images of one size in one file, a row each. Rows are read, never mapped.

A map of a file much larger than memory counts as memory of the process, and a page that is not in memory stops all
threads of the interpreter while it is read. A read does neither.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from edgenas.data.cache.locks import hold_shared
from edgenas.data.values import Images, Indices, Labels
from edgenas.errors import StoreError, explain

_CAN_PREAD = hasattr(os, "preadv")


class RowFile:
    """A file of rows, open for reading until the last user lets go of it.

    Attributes:
        shape: Height, width and channels of every image.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        """Open the file.

        Raises:
            OSError: It cannot be opened.
        """
        self.path, self.shape = path, shape
        self._row_bytes = prod(shape)
        self._handle = os.open(path, os.O_RDONLY)
        hold_shared(self._handle)
        rows = os.fstat(self._handle).st_size // self._row_bytes
        self._mapped: Images | None = None
        if not _CAN_PREAD and rows:
            self._mapped = np.memmap(path, np.uint8, "r", shape=(rows, *shape))

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            os.close(self._handle)

    def read(self, rows: Indices) -> Images:
        """Return the images of some rows, (len(rows), H, W, C); called from several threads.

        Raises:
            StoreError: The file has become shorter or cannot be read.
        """
        if self._mapped is not None:
            return self._mapped[rows]
        out = np.empty((len(rows), *self.shape), np.uint8)
        if not len(rows):
            return out
        # Neighbours are read at once: images in order take one read a batch.
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
            self._fill(out[start:stop], int(rows[start]) * self._row_bytes)
        return out

    def _fill(self, out: Images, offset: int) -> None:
        room = out.reshape(-1).data
        while room:
            try:
                count = os.preadv(self._handle, [room], offset)
            except OSError as error:
                raise _unreadable(self.path, error.strerror or str(error)) from error
            if not count:
                raise _unreadable(self.path, "it has become shorter")
            room, offset = room[count:], offset + count


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredSplit:
    """A split whose images lie in the cache.

    Attributes:
        file: Images of the whole data set.
        rows: Where the images of this split lie in the file, (N,).
        labels: (N,) int64.
    """

    file: RowFile
    rows: Indices
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.file.shape

    def read(self, indices: Indices) -> Images:
        """Return the images at `indices`, (len(indices), H, W, C)."""
        return self.file.read(self.rows[indices])


def _unreadable(path: Path, reason: str) -> StoreError:
    what = f"cannot read prepared images of {path}: {reason}"
    return StoreError(explain(what, remedy="Give the same command again; `edgenas cache clear` makes them anew."))
