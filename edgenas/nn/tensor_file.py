"""Arrays and texts as one safetensors file: the same bytes for the same content, and a digest that covers all of it.

A file states its version. Since version 2 it also states that it has a digest. One flipped bit cannot remove both.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from edgenas import atomic
from edgenas.errors import StoreError, WeightsError, explain
from edgenas.reading.files import checked_path
from edgenas.reading.json_text import plain_text, plain_value

OURS = "edgenas."
VERSION_KEY, DIGEST_KEY = "edgenas.version", "edgenas.digest"
VERSION = "2"

_LENGTH_BYTES = 8
_ALIGNMENT = 8


def write_tensors(path: Path, arrays: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file; it is moved into place when complete.

    Args:
        path: The file; replaced where it exists.
        arrays: By name.
        metadata: Texts by name.

    Raises:
        StoreError: The file cannot be written; the file before is untouched.
    """
    ordered = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    try:
        texts = {**metadata, VERSION_KEY: VERSION}
        texts[DIGEST_KEY] = tensors_digest(ordered, texts)
        atomic.write_bytes(path, _in_order(save(ordered, metadata=texts)))
    except (OSError, SafetensorError) as error:
        raise StoreError(explain(f"cannot write {path}", got=str(error))) from error


def _in_order(content: bytes) -> bytes:
    """Sort the names in the header: safetensors writes the metadata in another order in every process."""
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = plain_value(content[_LENGTH_BYTES:end])
    text = plain_text(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + content[end:]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorFile:
    """What `write_tensors` wrote.

    Attributes:
        arrays: By name.
        metadata: Texts by name, without version and digest.
    """

    arrays: dict[str, NDArray[np.float32]]
    metadata: dict[str, str]


def read_tensors(path: Path, *, what: str, remedy: str = "") -> TensorFile:
    """Read a safetensors file of ours and check its digest. Files of older versions have none, and a note says so.

    Args:
        path: The file.
        what: What it should be, such as "the checkpoint".
        remedy: What the user can do where it cannot be read.

    Raises:
        WeightsError: It cannot be read, holds other than 32-bit numbers, or was changed after it was written.
    """
    checked_path(path, what=f"the path of {what}", error=WeightsError)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise WeightsError(explain(f"cannot read {what} {path}", got=str(error), remedy=remedy)) from error
    other = next((name for name, array in arrays.items() if array.dtype != np.float32), None)
    if other is not None:
        got = f"{other} as {arrays[other].dtype}"
        raise WeightsError(explain(f"cannot read {what} {path}", got=got, allowed="float32", remedy=remedy))
    _check_digest(path, what, arrays, metadata, remedy)
    return TensorFile(arrays=arrays, metadata=metadata)


def _check_digest(
    path: Path, what: str, arrays: Mapping[str, NDArray[np.float32]], metadata: dict[str, str], remedy: str
) -> None:
    """Check and take out version and digest."""
    if not {VERSION_KEY, DIGEST_KEY} & set(metadata):
        if any(name.startswith(OURS) for name in metadata):
            logging.getLogger("edgenas").warning(
                "%s carries no digest (it is of an older version): whether it is damaged cannot be seen.", path
            )
        return
    digest = metadata.pop(DIGEST_KEY, None)
    if metadata.get(VERSION_KEY) != VERSION:
        got = repr(metadata.get(VERSION_KEY))
        raise WeightsError(explain(f"{what} {path} is of another version, or damaged", got=got, allowed=VERSION))
    if digest != tensors_digest(arrays, metadata):
        what = f"{what} {path} was edited or damaged: its digest does not match"
        raise WeightsError(explain(what, remedy=remedy or "Write it again, or fetch it again."))
    del metadata[VERSION_KEY]


def tensors_digest(arrays: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256, hex, over all names, types, shapes and values, and over all texts.

    Args:
        arrays: By name.
        metadata: Texts by name, without the digest.
    """
    total = hashlib.sha256(plain_text(dict(metadata), sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(plain_text([name, array.dtype.str, array.shape]).encode())
        total.update(array.data)
    return total.hexdigest()
