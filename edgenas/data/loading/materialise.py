"""Decode whole splits into arrays with several threads, and hash them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from math import prod

import numpy as np

from edgenas.data.identity import Contents
from edgenas.data.sources.raw import UnreadableImageError
from edgenas.data.values import ArraySplit, Images, Indices, Labels, Skipped, Split

# Images handed to a thread at once: enough to hide its overhead, few enough for steady progress.
CHUNK = 64
PIECE_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuiltSplits:
    """Prepared splits and what is known of them.

    Attributes:
        splits: In the order train, validation, test.
        skipped: Images that could not be decoded.
        digest: See `hash_splits`.
        repeated: See `count_repeated`, and `repeated_contents` for large sets.
        contents: A number of every image of every split by the content of its source, (N,) uint64 each.
        notes: What a user may not expect, one sentence each.
    """

    splits: tuple[Split, ...]
    skipped: tuple[Skipped, ...]
    digest: str
    repeated: tuple[int, ...]
    contents: tuple[Contents, ...]
    notes: tuple[str, ...] = ()


def to_array(
    prepare: Callable[[int], Images],
    content: Callable[[int], int],
    indices: Indices,
    labels: Labels,
    *,
    out: Images,
    workers: int,
    done: Callable[[int], None],
) -> tuple[ArraySplit, Contents, list[Skipped]]:
    """Prepare the images at `indices` straight into `out`.

    Args:
        prepare: From an index to one image (H, W, C); called from several threads.
        content: From an index to the number of its content, see `Reader.content`.
        indices: (N,).
        labels: (N,) of those images.
        out: (N, H, W, C) uint8, in memory or memory-mapped; filled in place.
        workers: Number of threads (decoding releases the interpreter's lock).
        done: Called with the number of images finished since the last call.

    Returns:
        The split, a view of `out` without the images that failed; the numbers of its images; and those that failed.
    """
    failed: dict[int, Skipped] = {}
    contents = np.zeros(len(indices), np.uint64)

    def fill(start: int) -> int:
        stop = min(start + CHUNK, len(indices))
        for row in range(start, stop):
            try:
                out[row] = prepare(int(indices[row]))
                contents[row] = content(int(indices[row]))
            except UnreadableImageError as error:
                failed[row] = Skipped(name=error.name, reason=error.reason)
        return stop - start

    with ThreadPoolExecutor(workers) as pool:
        for count in pool.map(fill, range(0, len(indices), CHUNK)):
            done(count)
    kept = np.setdiff1d(np.arange(len(indices)), np.fromiter(failed, np.int64, len(failed)))
    if failed:
        # Images move up one by one within `out`, since a second copy of the array may not fit into memory.
        for target, row in enumerate(kept):
            out[target] = out[row]
    split = ArraySplit(images=out[: len(kept)], labels=labels[kept])
    return split, contents[kept], [failed[row] for row in sorted(failed)]


def hash_splits(splits: Sequence[Split], classes: Sequence[str]) -> str:
    """Return the SHA-256 of the images, labels and class names of all splits."""
    digest = sha256("\0".join(classes).encode())
    for split in splits:
        digest.update(repr((len(split), *split.shape)).encode())
        digest.update(split.labels.tobytes())
        for images in _in_pieces(split):
            digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()


def count_repeated(splits: Sequence[Split]) -> tuple[int, ...]:
    """Count, for every split, the images that an earlier one holds too, pixel for pixel.

    Splits share no entry of the source. But a source may hold the same image twice, and then two splits can share it.
    """
    known: set[int] = set()
    counts = []
    for split in splits:
        hashes = [hash(image.tobytes()) for images in _in_pieces(split) for image in images]
        counts.append(sum(value in known for value in hashes))
        known.update(hashes)
    return tuple(counts)


def repeated_contents(contents: Sequence[Contents]) -> tuple[int, ...]:
    """Count, for every split, the images whose source an earlier one holds too, byte for byte; see `count_repeated`."""
    known = np.zeros(0, np.uint64)
    counts = []
    for numbers in contents:
        readable = numbers[numbers != 0]
        counts.append(int(np.isin(readable, known).sum()))
        known = np.union1d(known, readable)
    return tuple(counts)


def _in_pieces(split: Split) -> Iterator[Images]:
    """Yield the images of a split in order, a bounded number at a time."""
    step = max(1, PIECE_BYTES // max(1, prod(split.shape)))
    for start in range(0, len(split), step):
        yield split.read(np.arange(start, min(start + step, len(split))))
