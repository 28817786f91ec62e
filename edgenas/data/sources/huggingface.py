"""Data sets of the Hugging Face `datasets` library, by name or from a local directory; needs an extra."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgenas.data.settings import DataSettings
from edgenas.data.sources.decode import DECODE_ERRORS, pillow_to_array
from edgenas.data.sources.labels import class_names
from edgenas.data.sources.raw import RawData, UnreadableImageError
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
    key: str
    size: None = None

    def read(self, index: int) -> Images:
        """Decode the image of one row, (H, W, C).

        Raises:
            UnreadableImageError: The image cannot be decoded.
        """
        try:
            return pillow_to_array(self.rows[index][self.image_column])
        except DECODE_ERRORS as error:
            raise UnreadableImageError(f"{self.name}[{index}]", str(error)) from error


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
        key=f"{name} {getattr(rows, '_fingerprint', '')} {len(rows)}",
    )


def _channels(rows: Any, column: str) -> int:
    """Look at an even sample: reading every image to learn its mode would take as long as an epoch."""
    sample = np.unique(np.linspace(0, len(rows) - 1, CHANNEL_SAMPLE).astype(int))
    return max(pillow_to_array(rows[int(index)][column]).shape[2] for index in sample)


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
