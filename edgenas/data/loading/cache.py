"""Prepared splits on disk: one memory-mapped .npy per split, made once and shared by equal runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgenas import atomic
from edgenas.data.loading.materialise import BuiltSplits
from edgenas.data.values import ArraySplit, Images, Skipped
from edgenas.errors import StoreError, explain
from edgenas.reading.json_text import read_json

# Room left on the disk for everything else.
SPARE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One set of prepared splits. It is written to a hidden draft first, so a killed run leaves no half entry.

    Attributes:
        folder: Where the finished entry lies.
        draft: Where it is written.
    """

    folder: Path
    draft: Path

    @classmethod
    def open(cls, cache_dir: str, key: str) -> CacheEntry:
        """Name the entry of a key below the cache directory.

        Raises:
            StoreError: The directory cannot be made or written.
        """
        root = Path(cache_dir).expanduser()
        try:
            root.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))
        except OSError as error:
            raise StoreError(
                explain(f"cannot write the cache directory {root}: {error.strerror}", remedy="Set data.cache_dir.")
            ) from error
        # The folder is made only to see that this works. It is made again when there is something to write.
        draft.rmdir()
        return cls(folder=root / key[:32], draft=draft)

    def load(self, parts: Sequence[str]) -> BuiltSplits | None:
        """Return the finished entry, memory-mapped, or None where there is none."""
        if not self.folder.is_dir():
            return None
        try:
            return self._read(parts)
        except (StoreError, OSError, ValueError, KeyError, TypeError):
            # The entry was cut short or edited. Its source is still there, so it is made again.
            with contextlib.suppress(OSError):
                atomic.set_aside(self.folder)
            return None

    def _read(self, parts: Sequence[str]) -> BuiltSplits:
        meta = read_json(self.folder / "meta.json", what="the cache's description", error=StoreError)
        splits = tuple(
            ArraySplit(
                images=np.load(self.folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)[: meta["rows"][part]],
                labels=np.load(self.folder / f"{part}_labels.npy", allow_pickle=False),
            )
            for part in parts
        )
        return BuiltSplits(
            splits=splits,
            skipped=tuple(Skipped(**skipped) for skipped in meta["skipped"]),
            digest=meta["digest"],
            repeated=tuple(meta["repeated"]),
            contents=tuple(
                np.load(self.folder / f"{part}_contents.npy", allow_pickle=False).astype(np.uint64) for part in parts
            ),
        )

    def has_room(self, image_bytes: int) -> bool:
        """Say whether that many bytes fit on the disk."""
        return shutil.disk_usage(self.folder.parent).free > image_bytes + SPARE_BYTES

    def new_array(self, part: str, shape: tuple[int, ...]) -> Images:
        """Create the memory-mapped array of a split, (N, H, W, C) uint8, to be filled.

        Raises:
            StoreError: It cannot be written.
        """
        file = self.draft / f"{part}.npy"
        try:
            self.draft.mkdir(exist_ok=True)
            array: Images = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
            _reserve(file)
            return array
        except OSError as error:
            raise _unwritable(self.draft, error) from error

    def discard(self) -> None:
        """Delete what was written of an entry that will not be finished."""
        shutil.rmtree(self.draft, ignore_errors=True)

    def commit(self, parts: Sequence[str], built: BuiltSplits) -> None:
        """Write what belongs to the arrays and put the entry in its place.

        Raises:
            StoreError: It cannot be written.
        """
        meta = {
            "rows": {part: len(split) for part, split in zip(parts, built.splits, strict=True)},
            "skipped": [{"name": image.name, "reason": image.reason} for image in built.skipped],
            "digest": built.digest,
            "repeated": built.repeated,
        }
        try:
            for part, split, contents in zip(parts, built.splits, built.contents, strict=True):
                np.save(self.draft / f"{part}_labels.npy", split.labels, allow_pickle=False)
                np.save(self.draft / f"{part}_contents.npy", contents, allow_pickle=False)
            atomic.write_json(self.draft / "meta.json", meta, indent=None)
            if self.folder.exists():
                # Another run was faster and wrote the same entry. Ours stays readable until it is closed.
                shutil.rmtree(self.draft)
            else:
                atomic.replace_folder(self.draft, self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error


def _reserve(file: Path) -> None:
    """Claim the file's blocks: writing to a memory map on a full disk would end the process by a signal."""
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        explain(f"cannot write prepared images to {path}: {error.strerror}", remedy="Free space or set data.cache_dir.")
    )
