"""The numbers of images by content, those that are known without a look at the images first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from edgenas.data.identity import Contents
from edgenas.data.sources.raw import Reader, UnreadableImageError
from edgenas.data.values import Indices

CHUNK = 256
"""Images handed to a thread at once."""


def known_contents(reader: Reader, indices: Indices, *, workers: int) -> tuple[Contents, NDArray[np.bool_]]:
    """Return numbers (N,), and whether each is known: of files only what is kept, of all other sources all."""
    known = getattr(reader, "known_contents", None)
    if known is not None:
        return known(indices)
    numbers = content_numbers(reader, indices, workers=workers)
    return numbers, numbers != 0


def content_numbers(reader: Reader, indices: Indices, *, workers: int) -> Contents:
    """Return the numbers (N,) of images by their content, without decoding them; 0 for what cannot be read."""
    known = getattr(reader, "known_contents", None)
    numbers, here = known(indices) if known is not None else (np.zeros(len(indices), np.uint64), None)
    wanted = np.arange(len(indices)) if here is None else np.flatnonzero(~here)

    def look(start: int) -> None:
        for position in wanted[start : start + CHUNK].tolist():
            try:
                numbers[position] = reader.content(int(indices[position]))
            except UnreadableImageError:
                numbers[position] = 0

    if len(wanted):
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(look, range(0, len(wanted), CHUNK)))
    return numbers
