"""Array files: one .npz, or a directory with train.npz and, where there is one, validation.npz and test.npz."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgenas.data.registry import Source
from edgenas.data.settings import DataSettings
from edgenas.data.sources.labels import class_names
from edgenas.data.sources.raw import ArrayReader, RawData, array_reader
from edgenas.errors import DataError, explain

# Archives beyond both are refused: deflate packs empty pixels a thousandfold.
MOST_BYTES = 2**30
MOST_RATIO = 50
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
    classes = class_names(None if given is None else _names(given, path), readers, where=str(path))
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
        # numpy would take any other file for a pickle, and its message would mislead.
        raise DataError(explain(f"{file} is not a usable .npz file", remedy="Write it with numpy.savez."))
    try:
        with np.load(file, allow_pickle=False) as archive:
            wanted = [name for name in ("images", "labels", "classes") if name in archive.files]
            _require_size(file, wanted)
            return {name: archive[name] for name in wanted}
    except MemoryError as error:
        raise DataError(explain(f"{file} does not fit in memory", remedy="Save the images as a folder.")) from error
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
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise DataError(explain(f"{file} is not a usable .npz file: {error}")) from error


def _require_size(file: Path, names: list[str]) -> None:
    """Refuse an archive that would unpack to far more than its size. Nothing is unpacked for this.

    Raises:
        DataError: It would unpack to more than `MOST_BYTES` and more than `MOST_RATIO` times its size, or an array's
            header promises more bytes than there are.
        ValueError: An array's header is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        total = sum(entries[name].file_size for name in names)
        if total > max(MOST_BYTES, MOST_RATIO * file.stat().st_size):
            raise DataError(
                explain(
                    f"{file} unpacks to far more than it holds",
                    got=f"{total / 2**20:,.0f} MiB from {file.stat().st_size / 2**20:,.1f}",
                    allowed=f"at most {MOST_BYTES // 2**20} MiB, or {MOST_RATIO} times the file",
                    remedy="Save it with numpy.savez, which does not pack.",
                )
            )
        for name in names:
            with archive.open(entries[name]) as stream:
                promised = _promised_bytes(stream)
            if promised is not None and promised > entries[name].file_size:
                raise DataError(
                    explain(
                        f"{file} is damaged: its array {name} promises more than there is",
                        got=f"{entries[name].file_size} bytes",
                        allowed=f"{promised} bytes",
                    )
                )


def _promised_bytes(stream: IO[bytes]) -> int | None:
    """Return the bytes of an array by its .npy header; None for objects, which are refused elsewhere."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    return None if dtype.hasobject else prod(shape) * dtype.itemsize


def _names(given: NDArray[np.generic], path: Path) -> list[str]:
    """Return class names as texts: bytes are UTF-8, numbers are written out.

    Raises:
        DataError: They are no names.
    """
    if given.ndim != 1 or given.dtype.kind not in "USiu":
        got = f"shape {given.shape}, type {given.dtype}"
        raise DataError(explain(f"classes in {path} are no names", got=got, allowed="(K,) texts"))
    if given.dtype.kind != "S":
        return [str(name) for name in given]
    try:
        return [bytes(name).decode("utf-8") for name in given]
    except UnicodeDecodeError as error:
        raise DataError(explain(f"class names in {path} are not UTF-8", got=error.object, allowed="UTF-8")) from error


def _reader(arrays: Arrays, file: Path) -> ArrayReader:
    missing = [name for name in ("images", "labels") if name not in arrays]
    if missing:
        raise DataError(explain(f"{file} lacks {' and '.join(missing)}", allowed="arrays `images` and `labels`"))
    return array_reader(arrays["images"], arrays["labels"], where=str(file))


SOURCE = Source(read=read)
