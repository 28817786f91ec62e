"""Class folders of image files, alone or below train/, validation/ (or val/) and test/."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgenas.data.cache.file_index import STATE, FileIndex, FoundFiles, join
from edgenas.data.identity import Contents
from edgenas.data.loading.signature import content_number
from edgenas.data.registry import Source
from edgenas.data.settings import DataSettings
from edgenas.data.sources.decode import decode_image, readable_endings, reason_of
from edgenas.data.sources.headers import look_at_new
from edgenas.data.sources.listing import Listing
from edgenas.data.sources.raw import ContentKind, RawData, UnreadableImageError
from edgenas.data.values import Images, Indices, Labels, Skipped
from edgenas.errors import DataError, explain

TRAIN_NAMES = ("train", "training")
VALIDATION_NAMES = ("validation", "val", "valid")
TEST_NAMES = ("test", "testing")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileReader:
    """Image files of one part.

    Attributes:
        root: The data folder.
        index: What is known of its files.
        rows: Places of this part's files in the index, (N,).
    """

    root: str
    index: FileIndex
    rows: Indices
    labels: Labels
    size: tuple[int, int] | None
    channels: int
    key: str
    animated: int = 0
    kind: ContentKind = "files"

    def path_of(self, index: int) -> str:
        """Return the path of one file."""
        return os.path.join(self.root, self.index.names[self.rows[index]])

    def read(self, index: int) -> Images:
        """Decode one file, (H, W, C).

        Raises:
            UnreadableImageError: The file cannot be decoded.
        """
        name = self.path_of(index)
        return decode_image(Path(name), name=name)

    def content(self, index: int) -> int:
        """Return a number that tells the file's content from others, whatever its name; read once and kept.

        Raises:
            UnreadableImageError: The file cannot be read.
        """
        row = int(self.rows[index])
        known = self.index.content(row)
        if known is not None:
            return known
        try:
            number = content_number(Path(self.path_of(index)).read_bytes())
        except OSError as error:
            raise UnreadableImageError(self.path_of(index), reason_of(error)) from error
        self.index.set_content(row, number)
        return number

    def known_contents(self, indices: Indices) -> tuple[Contents, NDArray[np.bool_]]:
        """Return the numbers of some files, (N,), and whether each is known; nothing is read."""
        facts = self.index.facts[self.rows[indices]]
        return facts["content"].astype(np.uint64), facts["has_content"].copy()


def read(settings: DataSettings) -> RawData:
    """List the class folders, and look at the header of every image that is new or changed.

    A part named val/ beside train/ without a test/ holds the images for the final figure (ImageNet's form); the
    validation images of a search are then taken from train/.

    Raises:
        DataError: No such directory, no class folders, one class, a class folder without images, parts that disagree.
    """
    root = Path(settings.path or "").expanduser()
    if not root.is_dir():
        raise DataError(explain(f"no such directory: {root}", remedy="data.path names a directory of class folders."))
    listing = Listing()
    parts, notes = _parts(root, listing)
    classes = tuple(folder.name for folder in Listing().subfolders(parts["train"]))
    if len(classes) < 2:
        raise DataError(
            explain(
                f"{parts['train']} has {'one class folder' if classes else 'no class folders'}",
                got=", ".join(classes) or None,
                allowed="two or more folders, each with the images of one class",
            )
        )
    listed = {name: _list_part(folder, root, classes, listing) for name, folder in parts.items()}
    index = FileIndex(root, join([part.files for part in listed.values()]), cache_dir=settings.cache_dir)
    damaged = index.notes
    broken = look_at_new(index, root, workers=settings.workers)
    index.save()
    skipped = [Skipped(name=os.path.join(root, index.names[row]), reason=broken[row]) for row in sorted(broken)]
    readers: dict[str, FileReader] = {}
    first = 0
    for name, part in listed.items():
        readers[name] = _reader(str(root), index, first, part.labels, folder=parts[name], broken=broken)
        first += len(part.labels)
    animated = sum(reader.animated for reader in readers.values())
    first_frames = (f"{animated} images have several frames; the first is taken.",) if animated else ()
    return RawData(
        classes=classes,
        train=readers["train"],
        validation=readers.get("validation"),
        test=readers.get("test"),
        skipped=tuple(skipped),
        notes=(*notes, *first_frames, *listing.note(root), *damaged),
        keep=partial(_keep, index, len(damaged)),
    )


def _parts(root: Path, listing: Listing) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the folders of train, validation and test; what lies beside them is counted as left out."""
    folders = {folder.name.lower(): folder for folder in listing.subfolders(root)}
    train, validation, test = (
        next((folders[name] for name in names if name in folders), None)
        for names in (TRAIN_NAMES, VALIDATION_NAMES, TEST_NAMES)
    )
    if train is None or (validation is None and test is None and len(folders) > 1):
        return {"train": root}, ()
    if validation is not None and test is None:
        listing.beside(root, {train, validation})
        note = f"{validation.name}/ is used as the test part; validation images are taken from {train.name}/."
        return {"train": train, "test": validation}, (note,)
    found = {"train": train, "validation": validation, "test": test}
    parts = {name: folder for name, folder in found.items() if folder is not None}
    listing.beside(root, set(parts.values()))
    return parts, ()


def _keep(index: FileIndex, told: int) -> tuple[str, ...]:
    """Write what is known by now; return notes that were not told yet."""
    index.save()
    return index.notes[told:]


class _Part(NamedTuple):
    files: FoundFiles
    labels: list[int]


def _list_part(folder: Path, root: Path, classes: Sequence[str], listing: Listing) -> _Part:
    found = {entry.name: entry for entry in Listing().subfolders(folder)}
    if unknown := sorted(set(found) - set(classes)):
        raise DataError(
            explain(
                f"{folder} has classes that the training part lacks",
                got=", ".join(unknown[:5]),
                allowed=", ".join(classes[:5]),
            )
        )
    listing.beside(folder, set(found.values()))
    parts: list[FoundFiles] = []
    labels: list[int] = []
    below = "" if folder == root else f"{folder.name}/"
    for label, name in enumerate(classes):
        if name not in found:
            continue
        files = listing.images(found[name], below=f"{below}{name}/")
        if not files.names:
            reasons = ", ".join(listing.note(found[name])) or None
            raise DataError(
                explain(f"class folder {found[name]} holds no images", got=reasons, remedy="Fill it or delete it.")
            )
        parts.append(files)
        labels += [label] * len(files.names)
    if not labels:
        raise DataError(explain(f"{folder} holds no images", allowed=f"files ending in {_some_endings()}"))
    return _Part(join(parts), labels)


def _reader(
    root: str, index: FileIndex, first: int, labels: list[int], *, folder: Path, broken: dict[int, str]
) -> FileReader:
    """Return the reader of one part: the files from row `first` on, without the broken ones."""
    keep = np.array([number for number in range(len(labels)) if first + number not in broken], np.int64)
    facts = index.facts[first + keep]
    sizes = np.unique(facts[["height", "width"]])
    skip = 0 if folder == Path(root) else len(folder.name) + 1
    state = np.stack([facts[name] for name in STATE], 1)
    listed = "\0".join(index.names[first + number][skip:] for number in keep)
    return FileReader(
        root=root,
        index=index,
        rows=first + keep,
        labels=np.array(labels, np.int64)[keep],
        size=(int(sizes[0]["height"]), int(sizes[0]["width"])) if len(sizes) == 1 else None,
        channels=int(facts["channels"].max(initial=0)) or 1,
        key=sha256(listed.encode("utf-8", "surrogateescape") + state.tobytes()).hexdigest(),
        animated=int(facts["animated"].sum()),
    )


def _some_endings() -> str:
    usual = (".jpg", ".png", ".webp", ".tif", ".bmp", ".gif")
    return ", ".join(ending for ending in usual if ending in readable_endings()) + ", and others that Pillow reads"


SOURCE = Source(read=read)
