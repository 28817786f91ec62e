"""Class folders of image files, alone or below train/, validation/ (or val/) and test/."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgenas.data.loading.signature import content_number, file_signature
from edgenas.data.registry import Source
from edgenas.data.settings import DataSettings
from edgenas.data.sources.decode import Header, decode_image, open_header, readable_endings, reason_of
from edgenas.data.sources.listing import Listing
from edgenas.data.sources.raw import ContentKind, RawData, UnreadableImageError
from edgenas.data.values import Images, Labels, Skipped
from edgenas.errors import DataError, explain

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
    animated: int = 0
    kind: ContentKind = "files"

    def read(self, index: int) -> Images:
        """Decode one file, (H, W, C).

        Raises:
            UnreadableImageError: The file cannot be decoded.
        """
        return decode_image(self.paths[index], name=str(self.paths[index]))

    def content(self, index: int) -> int:
        """Return a number that tells the file's content from others, whatever its name.

        Raises:
            UnreadableImageError: The file cannot be read.
        """
        try:
            return content_number(self.paths[index].read_bytes())
        except OSError as error:
            raise UnreadableImageError(str(self.paths[index]), reason_of(error)) from error


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
    skipped: list[Skipped] = []
    readers = {name: _reader(folder, classes, settings.workers, skipped, listing) for name, folder in parts.items()}
    animated = sum(reader.animated for reader in readers.values())
    first_frames = (f"{animated} images have several frames; the first is taken.",) if animated else ()
    return RawData(
        classes=classes,
        train=readers["train"],
        validation=readers.get("validation"),
        test=readers.get("test"),
        skipped=tuple(skipped),
        notes=(*notes, *first_frames, *listing.note(root)),
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


class _File(NamedTuple):
    header: Header
    signature: str


def _reader(folder: Path, classes: Sequence[str], workers: int, skipped: list[Skipped], listing: Listing) -> FileReader:
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
    paths, labels = _list_images(found, classes, listing)
    if not paths:
        raise DataError(explain(f"{folder} holds no images", allowed=f"files ending in {_some_endings()}"))
    with ThreadPoolExecutor(workers) as pool:
        looked = list(pool.map(_look, paths))
    keep = [index for index, file in enumerate(looked) if isinstance(file, _File)]
    skipped.extend(file for file in looked if isinstance(file, Skipped))
    good = [file for file in looked if isinstance(file, _File)]
    sizes = {file.header.size for file in good}
    listed = "\n".join(
        f"{paths[index].relative_to(folder).as_posix()} {file.signature}"
        for index, file in zip(keep, good, strict=True)
    )
    return FileReader(
        paths=tuple(paths[index] for index in keep),
        labels=np.array([labels[index] for index in keep], np.int64),
        size=sizes.pop() if len(sizes) == 1 else None,
        channels=max((file.header.channels for file in good), default=1),
        key=sha256(listed.encode("utf-8", "surrogateescape")).hexdigest(),
        animated=sum(file.header.animated for file in good),
    )


def _list_images(found: dict[str, Path], classes: Sequence[str], listing: Listing) -> tuple[list[Path], list[int]]:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if name not in found:
            continue
        files = listing.images(found[name])
        if not files:
            reasons = ", ".join(listing.note(found[name])) or None
            raise DataError(
                explain(f"class folder {found[name]} holds no images", got=reasons, remedy="Fill it or delete it.")
            )
        paths += files
        labels += [label] * len(files)
    return paths, labels


def _some_endings() -> str:
    usual = (".jpg", ".png", ".webp", ".tif", ".bmp", ".gif")
    return ", ".join(ending for ending in usual if ending in readable_endings()) + ", and others that Pillow reads"


def _look(path: Path) -> _File | Skipped:
    try:
        return _File(open_header(path), file_signature(path.stat()))
    except UnreadableImageError as error:
        return Skipped(name=error.name, reason=error.reason)
    except OSError as error:
        return Skipped(name=str(path), reason=error.strerror or str(error))


SOURCE = Source(read=read)
