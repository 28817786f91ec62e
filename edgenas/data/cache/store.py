"""Prepared images of one data set at one size, each once: rows of a file, found by the content of their source."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from edgenas import atomic
from edgenas.data.cache.locks import only_writer
from edgenas.data.cache.place import IMAGES
from edgenas.data.cache.rows import RowFile
from edgenas.data.cache.sealed import read_sealed, write_sealed
from edgenas.data.values import Images, Indices
from edgenas.errors import StoreError, explain
from edgenas.reading.json_text import plain_text, plain_value, read_json

ROWS_FILE, TABLE_FILE, ABOUT_FILE, DIGESTS_FILE = "images.u8", "table", "about.json", "digests.json"
ABSENT, BROKEN = -1, -2
CHECKPOINT_SECONDS = 20.0
"""A killed process loses at most the images of this time."""
MOST_DIGESTS = 64

Keys = NDArray[np.uint64]


class ImageStore:
    """One entry of the cache.

    Attributes:
        folder: Where it lies.
        notes: What a user may not expect, one sentence each.
    """

    def __init__(self, cache_dir: str, about: Mapping[str, Any], shape: tuple[int, int, int]) -> None:
        """Open an entry, and read which images it holds.

        Args:
            cache_dir: Folder of the cache.
            about: The data set and its preparation, plain values; they name the entry.
            shape: Height, width and channels of the images.

        Raises:
            StoreError: The cache cannot be written.
        """
        self._about = {**about, "shape": list(shape)}
        self._shape, self._row_bytes = shape, prod(shape)
        key = sha256(plain_text(self._about, sort_keys=True).encode()).hexdigest()[:32]
        self.folder = Path(cache_dir).expanduser() / IMAGES / key
        self.notes: tuple[str, ...] = ()
        self._writer: int | None = None
        self._saved = 0.0
        self._keys: Keys = np.zeros(0, np.uint64)
        self._broken: dict[int, str] = {}
        self._broken_saved: dict[int, str] = {}
        self._places: set[int] = set()
        self._added: list[int] = []
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            if self.folder.is_dir():
                self._mark_used()
        except OSError as error:
            what = f"cannot write the cache directory {cache_dir}: {error.strerror}"
            raise StoreError(explain(what, remedy="Set data.cache_dir or EDGENAS_CACHE.")) from error
        self._load()

    def rows_of(self, keys: Keys) -> Indices:
        """Return the rows of images, (N,): `ABSENT` where they are not here, `BROKEN` where they cannot be decoded."""
        order = np.argsort(self._keys, kind="stable")
        known = self._keys[order]
        place = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
        rows = np.full(len(keys), ABSENT, np.int64)
        if len(known):
            here = known[place] == keys
            rows[here] = order[place[here]]
        if self._broken:
            rows[np.isin(keys, np.fromiter(self._broken, np.uint64))] = BROKEN
        return rows

    def reason(self, key: int) -> str:
        """Return why an image cannot be decoded."""
        return self._broken[key]

    def has(self, key: int) -> bool:
        """Whether an image is here, or known to be broken; for the process that writes."""
        return key in self._places or key in self._broken

    def open_rows(self) -> RowFile:
        """Return the images for reading.

        Raises:
            StoreError: They are gone.
        """
        try:
            return RowFile(self.folder / ROWS_FILE, self._shape)
        except OSError as error:
            raise self._unusable("read", error) from error

    @contextlib.contextmanager
    def writing(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Be the only process that adds images. What another one added by then is known afterwards.

        Args:
            waiting: Called now and then while another process adds images.

        Raises:
            StoreError: The entry cannot be written.
        """
        try:
            with only_writer(self.folder.parent / f".{self.folder.name}.lock", waiting=waiting):
                self.folder.mkdir(exist_ok=True)
                self._load()
                if not len(self._keys):
                    # A new file: a process may still read the rows of a damaged one.
                    (self.folder / ROWS_FILE).unlink(missing_ok=True)
                self._mark_used()
                self._places = set(self._keys.tolist())
                self._added = []
                self._saved = time.monotonic()
                self._writer = os.open(self.folder / ROWS_FILE, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    yield
                finally:
                    # What is finished is kept, however the block ends.
                    try:
                        self.checkpoint()
                    finally:
                        os.close(self._writer)
                        self._writer = None
        except OSError as error:
            raise self._unusable("write", error) from error

    def append(self, images: Images, keys: list[int]) -> None:
        """Add prepared images (N, H, W, C) under their keys; inside of `writing`."""
        assert self._writer is not None
        offset = (len(self._keys) + len(self._added)) * self._row_bytes
        room = np.ascontiguousarray(images).reshape(-1).data
        while room:
            count = os.pwrite(self._writer, room, offset)
            room, offset = room[count:], offset + count
        self._added += keys
        self._places.update(keys)
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self.checkpoint()

    def set_broken(self, key: int, reason: str) -> None:
        """Remember that an image cannot be decoded; inside of `writing`."""
        self._broken[key] = reason

    def checkpoint(self) -> None:
        """Force the images to the disk, and then write which there are."""
        assert self._writer is not None
        if self._added or self._broken != self._broken_saved:
            os.fsync(self._writer)
            self._keys = np.concatenate([self._keys, np.array(self._added, np.uint64)])
            self._added = []
            reasons = plain_text([[str(key), reason] for key, reason in self._broken.items()]).encode()
            table: dict[str, NDArray[np.generic]] = {
                "keys": self._keys, "broken": np.frombuffer(reasons, np.uint8),
                "pillow": np.frombuffer(PIL.__version__.encode(), np.uint8),
            }  # fmt: skip
            write_sealed(self.folder / TABLE_FILE, table)
            self._broken_saved = dict(self._broken)
        self._saved = time.monotonic()

    def kept(self, name: str) -> dict[str, Any] | None:
        """Return what `keep` was given under a name; None where there is nothing."""
        found = self._digests().get(name)
        return found if isinstance(found, dict) else None

    def keep(self, name: str, value: dict[str, Any]) -> None:
        """Keep plain values that follow from the images under a name; the oldest go first."""
        values = {**self._digests(), name: value}
        for old in list(values)[:-MOST_DIGESTS]:
            del values[old]
        # It only saves time.
        with contextlib.suppress(OSError):
            atomic.write_json(self.folder / DIGESTS_FILE, values)

    def _mark_used(self) -> None:
        """Say what the entry is of; the time of the file is that of its last use."""
        if not (self.folder / ABOUT_FILE).is_file():
            atomic.write_json(self.folder / ABOUT_FILE, self._about)
        os.utime(self.folder / ABOUT_FILE)

    def _digests(self) -> dict[str, Any]:
        try:
            found = read_json(self.folder / DIGESTS_FILE, what="digests", error=StoreError)
            return found if isinstance(found, dict) else {}
        except StoreError:
            return {}

    def _load(self) -> None:
        self._keys, self._broken, self._broken_saved = np.zeros(0, np.uint64), {}, {}
        try:
            table = read_sealed(self.folder / TABLE_FILE)
            if table is None:
                return
            keys = table["keys"].astype(np.uint64)
            if (self.folder / ROWS_FILE).stat().st_size < len(keys) * self._row_bytes:
                raise ValueError("images are missing")
            self._keys = keys
            # Another version may decode them.
            if table["pillow"].tobytes().decode() == PIL.__version__:
                self._broken = _reasons(table["broken"].tobytes().decode())
                self._broken_saved = dict(self._broken)
        except (OSError, ValueError, KeyError, TypeError):
            self.notes = (f"Prepared images in the cache were damaged and have been made again ({self.folder.name}).",)

    def _unusable(self, what: str, error: OSError) -> StoreError:
        return StoreError(
            explain(
                f"cannot {what} prepared images in {self.folder}: {error.strerror or error}",
                remedy="Free space (`edgenas cache list`, `edgenas cache clear`), or set data.cache_dir or "
                "EDGENAS_CACHE; what was finished is kept.",
            )
        )


def _reasons(text: str) -> dict[int, str]:
    return {int(key): str(reason) for key, reason in plain_value(text)}
