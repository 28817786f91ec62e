"""Arrays in one file with a digest, so that a file that was cut or changed is told from a whole one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgenas import atomic

MARK = b"edgenas arrays 1\n"
DIGEST_BYTES = 32
Arrays = Mapping[str, NDArray[np.generic]]


def write_sealed(path: Path, arrays: Arrays) -> None:
    """Write arrays by name; see `edgenas.atomic.write_bytes`.

    Raises:
        OSError: The file cannot be written; the one before is untouched.
    """
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    data = content.getbuffer()
    atomic.write_bytes(path, b"".join((MARK, sha256(data).digest(), data)))


def read_sealed(path: Path) -> dict[str, NDArray[np.generic]] | None:
    """Return what `write_sealed` wrote; None where there is no such file.

    Raises:
        ValueError: The file is damaged, or something else.
        OSError: It cannot be read.
    """
    try:
        data = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    start = len(MARK) + DIGEST_BYTES
    if data[: len(MARK)] != MARK or data[len(MARK) : start] != sha256(data[start:]).digest():
        raise ValueError(f"{path} is damaged")
    try:
        with np.load(io.BytesIO(data[start:]), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
