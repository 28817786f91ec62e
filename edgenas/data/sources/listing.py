"""Which files of a folder are images, and a count of what was left out and why."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from edgenas.data.sources.decode import readable_endings

NAMED_REASONS = 8


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

    def images(self, folder: Path) -> list[Path]:
        """Return the image files below a folder at any depth, sorted; links are followed, but never in a circle."""
        found: list[Path] = []
        self._walk(folder, found, above=())
        return sorted(found)

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

    def _walk(self, folder: Path, found: list[Path], above: tuple[tuple[int, int], ...]) -> None:
        state = folder.stat()
        here = (state.st_dev, state.st_ino)
        if here in above:
            self.left_out["link in a circle"] += 1
            return
        for entry in sorted(folder.iterdir()):
            if is_clutter(entry.name):
                self.left_out["hidden folder" if entry.is_dir() else "hidden file"] += 1
            elif entry.is_dir():
                self._walk(entry, found, (*above, here))
            elif not os.path.exists(entry):
                self.left_out["broken link"] += 1
            elif not entry.is_file():
                self.left_out["that is no file"] += 1
            elif entry.suffix.lower() in readable_endings():
                found.append(entry)
            else:
                self.left_out[_ending(entry)] += 1


def is_clutter(name: str) -> bool:
    """Whether a name is hidden or what macOS leaves in archives: "._x.jpg" is no image though its name says so."""
    return name.startswith(".") or name == "__MACOSX"


def _ending(entry: Path) -> str:
    return f"ending in {entry.suffix.lower()}" if entry.suffix else "without an ending"
