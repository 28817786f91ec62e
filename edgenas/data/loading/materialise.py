"""Decode whole splits into arrays with several threads, and hash them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from edgenas.data.identity import Contents
from edgenas.data.sources.raw import UnreadableImageError
from edgenas.data.values import ArraySplit, Images, Indices, Labels, Skipped

# Images handed to a thread at once: enough to hide its overhead, few enough for steady progress.
CHUNK = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuiltSplits:
    """Prepared splits and what is known of them.

    Attributes:
        splits: In the order train, validation, test.
        skipped: Images that could not be decoded.
        digest: See `hash_splits`.
        repeated: See `count_repeated`.
        contents: A number of every image of every split by the content of its source, (N,) uint64 each.
    """

    splits: tuple[ArraySplit, ...]
    skipped: tuple[Skipped, ...]
    digest: str
    repeated: tuple[int, ...]
    contents: tuple[Contents, ...]


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


def content_numbers(content: Callable[[int], int], indices: Indices, *, workers: int) -> Contents:
    """Return the numbers (N,) of images by their content, without decoding them; 0 for what cannot be read."""

    def one(index: int) -> int:
        try:
            return content(index)
        except UnreadableImageError:
            return 0

    with ThreadPoolExecutor(workers) as pool:
        return np.fromiter(pool.map(one, indices.tolist()), np.uint64, len(indices))


def hash_splits(splits: Sequence[ArraySplit], classes: Sequence[str]) -> str:
    """Return the SHA-256 of the images, labels and class names of all splits."""
    digest = sha256("\0".join(classes).encode())
    for split in splits:
        digest.update(repr(split.images.shape).encode())
        digest.update(split.labels.tobytes())
        digest.update(np.ascontiguousarray(split.images).data)
    return digest.hexdigest()


def count_repeated(splits: Sequence[ArraySplit]) -> tuple[int, ...]:
    """Count, for every split, the images that an earlier one holds too, pixel for pixel.

    Splits share no entry of the source. But a source may hold the same image twice, and then two splits can share it.
    """
    known: set[int] = set()
    counts = []
    for split in splits:
        hashes = [hash(image.tobytes()) for image in split.images]
        counts.append(sum(value in known for value in hashes))
        known.update(hashes)
    return tuple(counts)
