"""Data sets of the Hugging Face `datasets` library, by name or from a local directory; needs an extra."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from edgenas.data.loading.signature import content_number
from edgenas.data.registry import Source
from edgenas.data.settings import DataSettings
from edgenas.data.sources.decode import pillow_to_array, reason_of
from edgenas.data.sources.labels import class_names
from edgenas.data.sources.raw import ContentKind, RawData, UnreadableImageError
from edgenas.data.values import Images, Labels
from edgenas.errors import ConfigError, DataError, explain

# Images of a part whose channels are looked at.
CHANNEL_SAMPLE = 64
VALIDATION_NAMES = ("validation", "valid", "val")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatasetReader:
    """One part of a data set; `rows` is a `datasets.Dataset`, which decodes an image when a row is read."""

    rows: Any
    image_column: str
    labels: Labels
    name: str
    channels: int
    encoded: Any = None
    size: None = None

    def read(self, index: int) -> Images:
        """Decode the image of one row, (H, W, C).

        Raises:
            UnreadableImageError: The image cannot be decoded.
        """
        try:
            return pillow_to_array(self.rows[index][self.image_column])
        except Exception as error:
            raise UnreadableImageError(f"{self.name}[{index}]", reason_of(error)) from error

    def content(self, index: int) -> int:
        """Return a number that tells the image of one row from others.

        Raises:
            UnreadableImageError: It cannot be read.
        """
        if self.encoded is not None:
            try:
                return content_number(_encoded_bytes(self.encoded[index][self.image_column]))
            except Exception as error:
                raise UnreadableImageError(f"{self.name}[{index}]", reason_of(error)) from error
        pixels = self.read(index)
        return content_number(repr(pixels.shape).encode() + pixels.tobytes())

    def path_of(self, index: int) -> str:
        """Return the name of one row."""
        return f"{self.name}[{index}]"

    @property
    def kind(self) -> ContentKind:
        """Encoded images where the library hands them out, as files are."""
        return "pixels" if self.encoded is None else "files"

    @property
    def key(self) -> str:
        """Digest of the content of all rows. The name is not enough, since its content may change."""
        digest = sha256(self.labels.tobytes())
        for index in range(len(self.labels)):
            try:
                digest.update(self.content(index).to_bytes(8, "little"))
            except UnreadableImageError as error:
                digest.update(error.reason.encode())
        return digest.hexdigest()


def read(settings: DataSettings) -> RawData:
    """Load a data set whose parts have one image column and one class-label column.

    Raises:
        ConfigError: The extra is not installed.
        DataError: The data set cannot be loaded or lacks such columns.
    """
    try:
        library = importlib.import_module("datasets")
    except ImportError as error:
        raise ConfigError(
            explain(
                "data source 'huggingface' needs the extra `datasets`, which is not installed",
                remedy="Install it with: pip install 'edgenas[datasets]'",
            )
        ) from error
    return from_parts(_load(library, settings.path or ""), name=settings.path or "")


def from_parts(parts: Mapping[str, Any], *, name: str) -> RawData:
    """Build the raw data from a mapping of part names to `datasets.Dataset` values.

    Raises:
        DataError: There is no training part, or a column is missing.
    """
    if "train" not in parts:
        raise DataError(explain(f"data set {name} has no training part", got=", ".join(parts), allowed="train"))
    validation = next((part for part in VALIDATION_NAMES if part in parts), None)
    # A validation part without a test part holds the images for the final figure, as for folders.
    test = "test" if "test" in parts else validation
    chosen = {"train": "train", "test": test, "validation": validation if test != validation else None}
    readers = {part: _reader(parts[key], f"{name}/{key}") for part, key in chosen.items() if key is not None}
    features = parts["train"].features
    names = features[_column(features, "ClassLabel", name)].names
    return RawData(
        classes=class_names(list(names), readers, where=name),
        train=readers["train"],
        validation=readers.get("validation"),
        test=readers.get("test"),
        notes=(f"{validation} is used as the test part.",) if validation is not None and test == validation else (),
    )


def _load(library: Any, path: str) -> Mapping[str, Any]:
    try:
        loaded = library.load_from_disk(path) if _is_saved(Path(path)) else library.load_dataset(path)
    except Exception as error:  # the library raises its own types and those of four others
        raise DataError(
            explain(f"cannot load data set {path}: {error}", remedy="Check the name or directory.")
        ) from error
    return loaded if isinstance(loaded, Mapping) else {"train": loaded}


def _is_saved(path: Path) -> bool:
    return (path / "dataset_dict.json").is_file() or (path / "dataset_info.json").is_file()


def _reader(rows: Any, name: str) -> DatasetReader:
    image_column = _column(rows.features, "Image", name)
    return DatasetReader(
        rows=rows,
        image_column=image_column,
        labels=_labels(rows, name),
        name=name,
        channels=_channels(rows, image_column),
        encoded=_encoded(rows, image_column),
    )


def _encoded(rows: Any, column: str) -> Any:
    """Return the rows with their images as they are stored, {"bytes", "path"} each; None where that is not offered."""
    feature = rows.features[column]
    if not hasattr(rows, "cast_column") or not hasattr(feature, "decode"):
        return None
    return rows.cast_column(column, type(feature)(decode=False))


def _encoded_bytes(stored: Mapping[str, Any]) -> bytes:
    return stored["bytes"] if stored.get("bytes") is not None else Path(stored["path"]).read_bytes()


def _channels(rows: Any, column: str) -> int:
    """Look at an even sample: reading every image to learn its mode would take as long as an epoch."""
    sample = np.unique(np.linspace(0, len(rows) - 1, CHANNEL_SAMPLE).astype(int))
    found = []
    for index in sample:
        # One image that cannot be decoded is skipped and named when it is read.
        with suppress(Exception):
            found.append(pillow_to_array(rows[int(index)][column]).shape[2])
    return max(found, default=3)


def _labels(rows: Any, name: str) -> Labels:
    column = _column(rows.features, "ClassLabel", name)
    # Selecting the column first keeps the library from decoding every image.
    return np.asarray(rows.select_columns([column])[:][column], np.int64)


def _column(features: Mapping[str, Any], kind: str, name: str) -> str:
    found = [column for column, feature in features.items() if type(feature).__name__ == kind]
    if len(found) != 1:
        raise DataError(
            explain(
                f"data set {name} needs exactly one column of type {kind}",
                got=", ".join(f"{column}: {type(feature).__name__}" for column, feature in features.items()),
            )
        )
    return found[0]


SOURCE = Source(read=read)
