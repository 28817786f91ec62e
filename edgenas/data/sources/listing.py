"""Which files of a folder are images, and a count of what was left out and why."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import numpy as np

from edgenas.data.cache.file_index import STATE, FoundFiles
from edgenas.data.sources.decode import readable_endings

NAMED_REASONS = 8
_UNSIGNED = 2**64 - 1


class Listing:
    """Lists folders and counts what it leaves out.

    Attributes:
        left_out: Number of files and folders by reason.
    """

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()

    def subfolders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder, links to folders too, sorted by name; hidden ones are left out."""
        found = []
        for entry in sorted(folder.iterdir()):
            if not entry.is_dir():
                continue
            if is_clutter(entry.name):
                self.left_out["hidden folder"] += 1
            else:
                found.append(entry)
        return found

    def images(self, folder: Path, *, below: str = "") -> FoundFiles:
        """Return the image files below a folder at any depth, sorted; links are followed, but never in a circle.

        Args:
            folder: Where to look.
            below: What the names begin with, such as "train/cats/".
        """
        names: list[str] = []
        state = array("Q")
        self._walk(str(folder), below, names, state, above=())
        return FoundFiles(tuple(names), np.frombuffer(state, np.uint64).reshape(-1, len(STATE)))

    def beside(self, folder: Path, used: set[Path]) -> None:
        """Count the files that lie in a folder itself, and the folders of it that are not used."""
        for entry in sorted(folder.iterdir()):
            if entry in used or is_clutter(entry.name):
                continue
            if entry.is_dir():
                self.left_out[f"folder {entry.name}/ that is no part"] += 1
            elif entry.suffix.lower() in readable_endings():
                self.left_out["image in no class folder"] += 1
            else:
                self.left_out[_ending(entry)] += 1

    def note(self, where: Path) -> tuple[str, ...]:
        """Say what was left out below a folder, most frequent first; nothing where all was taken."""
        if not self.left_out:
            return ()
        common = self.left_out.most_common()
        named = ", ".join(f"{count} {reason}" for reason, count in common[:NAMED_REASONS])
        rest = sum(count for _, count in common[NAMED_REASONS:])
        more = f", {rest} of other kinds" if rest else ""
        return (f"Left out below {where.name or where}: {named}{more}.",)

    def _walk(
        self, folder: str, below: str, names: list[str], found: array[int], above: tuple[tuple[int, int], ...]
    ) -> None:
        # One look at a file tells its kind, size and times: on a million files every further one counts.
        state = os.stat(folder)
        here = (state.st_dev, state.st_ino)
        if here in above:
            self.left_out["link in a circle"] += 1
            return
        endings = readable_endings()
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
        for entry in entries:
            name = entry.name
            if is_clutter(name):
                self.left_out["hidden folder" if entry.is_dir() else "hidden file"] += 1
                continue
            try:
                state = entry.stat()
            except OSError:
                self.left_out["broken link"] += 1
                continue
            if S_ISDIR(state.st_mode):
                self._walk(entry.path, f"{below}{name}/", names, found, (*above, here))
            elif not S_ISREG(state.st_mode):
                self.left_out["that is no file"] += 1
            elif os.path.splitext(name)[1].lower() in endings:
                names.append(below + name)
                found.extend(
                    (state.st_size, state.st_mtime_ns & _UNSIGNED, state.st_ctime_ns & _UNSIGNED,
                     state.st_ino & _UNSIGNED)
                )  # fmt: skip
            else:
                self.left_out[_ending(Path(name))] += 1


def is_clutter(name: str) -> bool:
    """Whether a name is hidden or what macOS leaves in archives: "._x.jpg" is no image though its name says so."""
    return name.startswith(".") or name == "__MACOSX"


def _ending(entry: Path) -> str:
    return f"ending in {entry.suffix.lower()}" if entry.suffix else "without an ending"
