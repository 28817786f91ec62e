"""A look at the header of every file of a folder that is new or changed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edgenas.data.cache.file_index import FileIndex
from edgenas.data.loading.signature import content_number
from edgenas.data.sources.decode import header_of, open_header
from edgenas.data.sources.raw import UnreadableImageError

WHOLE_BYTES = 64 * 2**10
"""Files up to this size are read whole, so that one look gives header and content."""
CHUNK = 256
"""Files handed to a thread at once."""


def look_at_new(index: FileIndex, root: Path, *, workers: int) -> dict[int, str]:
    """Open the files whose header is not known, and fill in the index.

    Args:
        index: Of the folder.
        root: The folder.
        workers: Threads.

    Returns:
        Why files cannot be read, by their place in the index.
    """
    new = np.flatnonzero(~index.facts["has_header"]).tolist()
    if not new:
        return {}
    folder, sizes = str(root), index.facts["size"]

    def look(start: int) -> dict[int, str]:
        broken = {}
        for row in new[start : start + CHUNK]:
            try:
                _look(index, row, os.path.join(folder, index.names[row]), size=int(sizes[row]))
            except UnreadableImageError as error:
                broken[row] = error.reason
            except OSError as error:
                broken[row] = error.strerror or str(error)
        return broken

    found: dict[int, str] = {}
    with ThreadPoolExecutor(workers) as pool:
        for broken in pool.map(look, range(0, len(new), CHUNK)):
            found |= broken
    return found


def _look(index: FileIndex, row: int, name: str, *, size: int) -> None:
    if size > WHOLE_BYTES:
        header = open_header(Path(name))
    else:
        with open(name, "rb") as file:
            content = file.read()
        header = header_of(content, name=name)
        index.set_content(row, content_number(content))
    index.set_header(row, size=header.size, channels=header.channels, animated=header.animated)
