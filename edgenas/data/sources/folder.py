"""Class folders of image files, alone or below train/, validation/ (or val/) and test/."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgenas.data.settings import DataSettings
from edgenas.data.sources.decode import decode_image, open_header
from edgenas.data.sources.raw import RawData, UnreadableImageError
from edgenas.data.values import Images, Labels, Skipped
from edgenas.errors import DataError, explain

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
TRAIN_NAMES = ("train", "training")
VALIDATION_NAMES = ("validation", "val", "valid")
TEST_NAMES = ("test", "testing")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileReader:
    """Image files of one part; header facts were gathered when the folder was listed."""

    paths: tuple[Path, ...]
    labels: Labels
    size: tuple[int, int] | None
    channels: int
    key: str

    def read(self, index: int) -> Images:
        """Decode one file, (H, W, C).

        Raises:
            UnreadableImageError: The file cannot be decoded.
        """
        return decode_image(self.paths[index], name=str(self.paths[index]))


def read(settings: DataSettings) -> RawData:
    """List the class folders and look at the header of every image.

    A part named val/ beside train/ without a test/ holds the images for the final figure (ImageNet's form); the
    validation images of a search are then taken from train/.

    Raises:
        DataError: No such directory, no class folders, one class, a class folder without images, parts that disagree.
    """
    root = Path(settings.path or "").expanduser()
    if not root.is_dir():
        raise DataError(explain(f"no such directory: {root}", remedy="data.path names a directory of class folders."))
    parts, notes = _parts(root)
    classes = tuple(folder.name for folder in _subfolders(parts["train"]))
    if len(classes) < 2:
        raise DataError(
            explain(
                f"{parts['train']} has {'one class folder' if classes else 'no class folders'}",
                got=", ".join(classes) or None,
                allowed="two or more folders, each with the images of one class",
            )
        )
    skipped: list[Skipped] = []
    readers = {name: _reader(folder, classes, settings.workers, skipped) for name, folder in parts.items()}
    return RawData(
        classes=classes,
        train=readers["train"],
        validation=readers.get("validation"),
        test=readers.get("test"),
        skipped=tuple(skipped),
        notes=notes,
    )


def _parts(root: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    folders = {folder.name.lower(): folder for folder in _subfolders(root)}
    train, validation, test = (
        next((folders[name] for name in names if name in folders), None)
        for names in (TRAIN_NAMES, VALIDATION_NAMES, TEST_NAMES)
    )
    if train is None or (validation is None and test is None and len(folders) > 1):
        return {"train": root}, ()
    if validation is not None and test is None:
        note = f"{validation.name}/ is used as the test part; validation images are taken from {train.name}/."
        return {"train": train, "test": validation}, (note,)
    found = {"train": train, "validation": validation, "test": test}
    return {name: folder for name, folder in found.items() if folder is not None}, ()


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not _is_clutter(entry))


def _is_clutter(entry: Path) -> bool:
    """Hidden entries, and what macOS leaves in archives: "._x.jpg" is no image though its name says so."""
    return entry.name.startswith(".") or entry.name == "__MACOSX"


class _Header(NamedTuple):
    size: tuple[int, int]
    channels: int
    file_bytes: int


def _reader(folder: Path, classes: Sequence[str], workers: int, skipped: list[Skipped]) -> FileReader:
    found = {entry.name: entry for entry in _subfolders(folder)}
    if unknown := sorted(set(found) - set(classes)):
        raise DataError(
            explain(
                f"{folder} has classes that the training part lacks",
                got=", ".join(unknown[:5]),
                allowed=", ".join(classes[:5]),
            )
        )
    paths, labels = _list_images(found, classes)
    if not paths:
        raise DataError(explain(f"{folder} holds no images", allowed="files ending in " + ", ".join(sorted(SUFFIXES))))
    with ThreadPoolExecutor(workers) as pool:
        headers = list(pool.map(_header, paths))
    keep = [index for index, header in enumerate(headers) if isinstance(header, _Header)]
    skipped.extend(header for header in headers if isinstance(header, Skipped))
    good = [header for header in headers if isinstance(header, _Header)]
    sizes = {header.size for header in good}
    listing = "\n".join(
        f"{paths[index].relative_to(folder).as_posix()} {header.file_bytes}"
        for index, header in zip(keep, good, strict=True)
    )
    return FileReader(
        paths=tuple(paths[index] for index in keep),
        labels=np.array([labels[index] for index in keep], np.int64),
        size=sizes.pop() if len(sizes) == 1 else None,
        channels=max((header.channels for header in good), default=1),
        key=sha256(listing.encode()).hexdigest(),
    )


def _list_images(found: dict[str, Path], classes: Sequence[str]) -> tuple[list[Path], list[int]]:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if name not in found:
            continue
        files = sorted(file for file in found[name].rglob("*") if _is_image(file))
        if not files:
            raise DataError(explain(f"class folder {found[name]} holds no images", remedy="Fill it or delete it."))
        paths += files
        labels += [label] * len(files)
    return paths, labels


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and file.is_file() and not _is_clutter(file)


def _header(path: Path) -> _Header | Skipped:
    try:
        size, channels = open_header(path)
        return _Header(size, channels, path.stat().st_size)
    except UnreadableImageError as error:
        return Skipped(name=error.name, reason=error.reason)
