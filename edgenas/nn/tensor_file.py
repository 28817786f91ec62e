"""Writing arrays and texts as one safetensors file, the same bytes for the same content."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from edgenas.errors import StoreError, explain

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
    partial = path.with_name(f".{path.name}.partial")
    ordered = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    try:
        partial.write_bytes(_in_order(save(ordered, metadata=dict(metadata) or None)))
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(explain(f"cannot write {path}", got=str(error))) from error


def _in_order(content: bytes) -> bytes:
    """Sort the names in the header: safetensors writes the metadata in another order in every process."""
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(content[_LENGTH_BYTES:end])
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + content[end:]
