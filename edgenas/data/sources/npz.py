"""Array files: one .npz, or a directory with train.npz and, where there is one, validation.npz and test.npz."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgenas.data.settings import DataSettings
from edgenas.data.sources.labels import class_names
from edgenas.data.sources.raw import ArrayReader, RawData, array_reader
from edgenas.errors import DataError, explain

Arrays = dict[str, NDArray[np.generic]]


def read(settings: DataSettings) -> RawData:
    """Read images, labels and optional classes.

    Raises:
        DataError: A file is missing or broken, an array is missing, pickled or of another shape, a label is impossible.
    """
    path = Path(settings.path or "").expanduser()
    files = _files(path)
    loaded = {part: _load(file) for part, file in files.items()}
    readers = {part: _reader(arrays, files[part]) for part, arrays in loaded.items()}
    given = loaded["train"].get("classes")
    classes = class_names(None if given is None else [str(name) for name in given], readers, where=str(path))
    return RawData(
        classes=classes,
        train=readers["train"],
        validation=readers.get("validation"),
        test=readers.get("test"),
    )


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {"train": path}
    if not path.is_dir():
        raise DataError(explain(f"no such file or directory: {path}", remedy="Check data.path."))
    files = {part: path / f"{part}.npz" for part in ("train", "validation", "test") if (path / f"{part}.npz").is_file()}
    if "train" not in files:
        raise DataError(explain(f"no train.npz in {path}", remedy="Name a .npz file or put train.npz there."))
    return files


def _load(file: Path) -> Arrays:
    if not zipfile.is_zipfile(file):
        # numpy would take anything else for a pickle and say so, which misleads.
        raise DataError(explain(f"{file} is not a usable .npz file", remedy="Write it with numpy.savez."))
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in ("images", "labels", "classes") if name in archive.files}
    except ValueError as error:
        if "pickle" not in str(error).lower():
            raise DataError(explain(f"{file} is not a usable .npz file: {error}")) from error
        raise DataError(
            explain(
                f"{file} holds pickled objects, which are never loaded: they can run code",
                allowed="plain arrays",
                remedy="Save images as one uint8 array and class names as an array of strings.",
            )
        ) from error
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise DataError(explain(f"{file} is not a usable .npz file: {error}")) from error


def _reader(arrays: Arrays, file: Path) -> ArrayReader:
    missing = [name for name in ("images", "labels") if name not in arrays]
    if missing:
        raise DataError(explain(f"{file} lacks {' and '.join(missing)}", allowed="arrays `images` and `labels`"))
    return array_reader(arrays["images"], arrays["labels"], where=str(file))
