"""Run the very files on images, one call for all formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edgenas.data import Preprocessing, Split
from edgenas.data.subset import chosen_images
from edgenas.errors import ExportError, explain
from edgenas.formats import FORMATS, Predict
from edgenas.formats.foreign import guarded, package_of, require_installed
from edgenas.registry import resolved

FloatImages = NDArray[np.float32]
Logits = NDArray[np.float32]
_CHUNK = 32


def open_file(data: bytes, file_format: str, *, threads: int = 1) -> Predict:
    """Load a file and return a function from images to logits.

    Args:
        data: The file.
        file_format: A name of `FORMATS` whose files run here (`can_run`).
        threads: Threads within one operation; formats of other packages may run on one.

    Returns:
        A function from images (N, C, H, W) float32, already normalised, to logits (N, K) float32. Integer inputs
        and outputs are converted on the way; a file of fixed batch is run as often as needed.

    Raises:
        ExportError: There is no such format, its package is missing, or the runtime does not load the file. The
            function raises it where the runtime fails, or gives other than one row of numbers an image.
        DeviceError: The runtime is not installed.
    """
    require_installed(file_format)
    opener = FORMATS[file_format].open
    if opener is None:
        raise ExportError(explain(f"{file_format} files cannot be run here"))
    with guarded(file_format, "does not load the file"):
        predict = resolved(opener, what=f"what opens {file_format} files")(data, threads)
    return lambda images: _logits(predict, images, file_format)


def _logits(predict: Predict, images: FloatImages, file_format: str) -> Logits:
    """Run a file, and refuse what are no logits: code of another package may return anything."""
    with guarded(file_format, "does not run the file"):
        found = np.asarray(predict(images))
    if found.ndim != 2 or len(found) != len(images) or not found.shape[1] or found.dtype.kind != "f":
        whose = package_of(file_format) or "the runtime"
        raise ExportError(
            explain(
                f"{whose} gives no logits for {file_format} files",
                got=f"{found.dtype} of shape {found.shape}",
                allowed=f"floats of shape ({len(images)}, classes)",
                remedy="Correct what `open` of the format returns.",
            )
        )
    return np.asarray(found, np.float32)


def can_run(file_format: str) -> bool:
    """Whether files of a format can be run, once its package is installed.

    Raises:
        ExportError: There is no such format.
    """
    return FORMATS[file_format].open is not None


def split_batches(
    split: Split, preprocessing: Preprocessing, *, limit: int | None = None, batch: int = _CHUNK
) -> Iterator[FloatImages]:
    """Yield the normalised images of a split in order.

    Args:
        split: Images and labels.
        preprocessing: Of the network.
        limit: Largest number of images, every class in proportion.
        batch: Images in each part.
    """
    for start in range(0, len(chosen := chosen_images(split, limit)), batch):
        yield preprocessing.apply(split.read(chosen[start : start + batch]))


def logits_of_split(
    predict: Predict,
    split: Split,
    preprocessing: Preprocessing,
    *,
    limit: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    what: str = "",
) -> Logits:
    """Run a function on the images of a split in order.

    Args:
        predict: From `open_file`.
        split: Images and labels, N of them.
        preprocessing: Of the network.
        limit: Largest number of images, every class in proportion.
        progress: Called with (images done, images in all, `what`).
        what: What the progress bar says.

    Returns:
        Logits (min(N, limit), K).
    """
    total, rows, done = len(chosen_images(split, limit)), [], 0
    for images in split_batches(split, preprocessing, limit=limit):
        rows.append(predict(images))
        done += len(images)
        if progress is not None:
            progress(done, total, what)
    return np.concatenate(rows)
