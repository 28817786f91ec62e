"""IDX files, the form of the MNIST family: big-endian header, then bytes; gzipped or not.

The format: two zero bytes, a type code (8: unsigned byte), the number of dimensions, then each dimension as a
big-endian 32-bit integer (LeCun, "The MNIST database", section "FILE FORMATS").
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgenas.data.registry import Source
from edgenas.data.settings import DataSettings
from edgenas.data.sources.labels import class_names
from edgenas.data.sources.npz import MOST_BYTES, MOST_RATIO
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
    found = {(part, content): _find(folder, part, content) for part in PARTS for content in ("images", "labels")}
    _require_one_set(folder, {key: file for key, file in found.items() if file is not None})
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
        content = _unpacked(raw, file) if raw[:2] == b"\x1f\x8b" else raw
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


def _unpacked(raw: bytes, file: Path) -> bytes:
    most = max(MOST_BYTES, MOST_RATIO * len(raw))
    with gzip.open(io.BytesIO(raw)) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise DataError(
            explain(
                f"{file} unpacks to far more than it holds",
                got=f"more than {most // 2**20} MiB from {len(raw) / 2**20:.1f}",
                allowed=f"at most {MOST_BYTES // 2**20} MiB, or {MOST_RATIO} times the file",
            )
        )
    return content


def _part(folder: Path, part: str) -> ArrayReader | None:
    images = _find(folder, part, "images")
    if images is None:
        return None
    labels = _find(folder, part, "labels")
    if labels is None:
        raise DataError(explain(f"{images.name} has no labels beside it in {folder}", remedy="Add the labels file."))
    return array_reader(read_idx(images), read_idx(labels), where=images.name)


def _find(folder: Path, part: str, content: str) -> Path | None:
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        name = file.name.lower().replace(".", "-")
        known = any(name.startswith(prefix) or f"-{prefix}-" in name for prefix in PARTS[part])
        if file.is_file() and known and f"{content}-idx" in name and not file.name.startswith("."):
            found.setdefault(name.removesuffix("-gz"), []).append(file)
    if len(found) > 1:
        raise DataError(
            explain(
                f"{folder} holds several sets of IDX files",
                got=", ".join(files[0].name for files in found.values()),
                remedy="Give every set a folder of its own.",
            )
        )
    # Packed and unpacked side by side: the unpacked one.
    return next((min(files, key=lambda file: len(file.name)) for files in found.values()), None)


def _require_one_set(folder: Path, files: Mapping[tuple[str, str], Path]) -> None:
    """Refuse images of one set with labels or test images of another."""
    starts: dict[str, str] = {}
    for (part, _), file in files.items():
        name = file.name.lower()
        place = min(name.find(prefix) for prefix in PARTS[part] if prefix in name)
        starts.setdefault(name[:place], file.name)
    if len(starts) > 1:
        raise DataError(
            explain(
                f"the IDX files in {folder} are of several sets",
                got=", ".join(starts.values()),
                remedy="Give every set a folder of its own.",
            )
        )


SOURCE = Source(read=read)
