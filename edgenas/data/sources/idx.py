"""IDX files, the form of the MNIST family: big-endian header, then bytes; gzipped or not.

The format: two zero bytes, a type code (8: unsigned byte), the number of dimensions, then each dimension as a
big-endian 32-bit integer (LeCun, "The MNIST database", section "FILE FORMATS").
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgenas.data.settings import DataSettings
from edgenas.data.sources.labels import class_names
from edgenas.data.sources.raw import ArrayReader, RawData, array_reader
from edgenas.errors import DataError, explain

UNSIGNED_BYTE = 8
# EMNIST and Fashion-MNIST call the parts the same; the test part is "t10k" in MNIST and "test" in EMNIST.
PARTS = {"train": ("train",), "test": ("t10k", "test")}


def read(settings: DataSettings) -> RawData:
    """Read train-images-idx3-ubyte[.gz] and its fellows from a directory.

    Raises:
        DataError: A file is missing, truncated or of another type, or a label is impossible.
    """
    folder = Path(settings.path or "").expanduser()
    if not folder.is_dir():
        raise DataError(explain(f"no such directory: {folder}", remedy="data.path names the directory of IDX files."))
    readers = {part: reader for part in PARTS if (reader := _part(folder, part)) is not None}
    if "train" not in readers:
        raise DataError(
            explain(f"no training images in {folder}", allowed="train-images-idx3-ubyte or train-images-idx3-ubyte.gz")
        )
    notes: tuple[str, ...] = ()
    if all(len(reader.labels) and reader.labels.min() == 1 for reader in readers.values()):
        # EMNIST's letters are numbered from 1.
        readers = {part: replace(reader, labels=reader.labels - 1) for part, reader in readers.items()}
        notes = ("Labels that start at 1 are counted from 0.",)
    classes = class_names(None, readers, where=str(folder))
    return RawData(classes=classes, train=readers["train"], test=readers.get("test"), notes=notes)


def read_idx(file: Path) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, gzipped or not (told from its first bytes, not its name).

    Raises:
        DataError: The file is not IDX, has another type, or is truncated.
    """
    try:
        raw = file.read_bytes()
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(explain(f"cannot read {file}: {error}")) from error
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(explain(f"{file} is not an IDX file", got=f"first bytes {content[:4]!r}"))
    type_code, dimensions = content[2], content[3]
    if type_code != UNSIGNED_BYTE:
        raise DataError(explain(f"{file} holds another type", got=f"code {type_code}", allowed="8 (unsigned byte)"))
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(explain(f"{file} is truncated in its header"))
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != prod(shape):
        raise DataError(
            explain(
                f"{file} is truncated or damaged", got=f"{len(content) - start} bytes", allowed=f"{prod(shape)} bytes"
            )
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _part(folder: Path, part: str) -> ArrayReader | None:
    images = _find(folder, part, "images")
    if images is None:
        return None
    labels = _find(folder, part, "labels")
    if labels is None:
        raise DataError(explain(f"{images.name} has no labels beside it in {folder}", remedy="Add the labels file."))
    return array_reader(read_idx(images), read_idx(labels), where=images.name)


def _find(folder: Path, part: str, content: str) -> Path | None:
    for file in sorted(folder.iterdir()):
        name = file.name.lower().replace(".", "-")
        known = any(name.startswith(prefix) or f"-{prefix}-" in name for prefix in PARTS[part])
        if file.is_file() and known and f"{content}-idx" in name:
            return file
    return None
