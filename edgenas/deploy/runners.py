"""Run the very files on images, one call for both runtimes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.data import Preprocessing, Split
from edgenas.data.subset import chosen_images
from edgenas.deploy.targets import TARGETS, open_target
from edgenas.errors import DeviceError, ExportError, explain
from edgenas.formats import SCHEMES
from edgenas.measure.engines.litert import interpreter_class
from edgenas.measure.engines.ort import OrtRuntime

FloatImages = NDArray[np.float32]
Logits = NDArray[np.float32]
Predict = Callable[[FloatImages], Logits]
_CHUNK = 32


def open_file(data: bytes, file_format: str, *, threads: int = 1) -> Predict:
    """Load a file and return a function from images to logits.

    Args:
        data: The file.
        file_format: `onnx`, `tflite`, or a further target that runs here (`can_run`).
        threads: Threads within one operation; further targets run on one.

    Returns:
        A function from images (N, C, H, W) float32, already normalised, to logits (N, K) float32. Integer inputs
        and outputs are converted on the way; a file of fixed batch is run as often as needed.

    Raises:
        ExportError: The runtime does not load the file.
        DeviceError: The runtime is not installed.
    """
    openers: dict[str, Callable[[bytes, int], Predict]] = {"onnx": _open_onnx, "tflite": _open_tflite}
    if file_format in TARGETS:
        return open_target(file_format, data)
    if file_format not in openers:
        raise ExportError(explain("no runtime here reads this format", got=file_format, allowed=", ".join(openers)))
    return openers[file_format](data, threads)


def can_run(file_format: str) -> bool:
    """Whether files of a format can be run, once its package is installed."""
    return file_format in SCHEMES or (file_format in TARGETS and TARGETS[file_format].open is not None)


def _open_onnx(data: bytes, threads: int) -> Predict:
    try:
        session = OrtRuntime().native(data, threads=threads)
    except DeviceError as error:
        if "not installed" in str(error):
            raise
        raise ExportError(str(error)) from error
    entry = session.get_inputs()[0]
    batch = entry.shape[0] if isinstance(entry.shape[0], int) else _CHUNK

    def predict(images: FloatImages) -> Logits:
        parts = [session.run(None, {entry.name: part})[0] for part in _parts(images, batch)]
        return np.concatenate(parts)[: len(images)]

    # A dynamic batch takes a short last part. For a fixed batch the last part is filled up.
    return predict if not isinstance(entry.shape[0], int) or batch == 1 else _filled(predict, batch)


def _open_tflite(data: bytes, threads: int) -> Predict:
    interpreter_type, package = interpreter_class()
    try:
        interpreter = interpreter_type(model_content=data, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ExportError(explain(f"{package} refuses the file", got=str(error).splitlines()[0])) from error
    entry, last = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    batch = int(entry["shape"][0])

    def predict(images: FloatImages) -> Logits:
        rows = []
        for part in _parts(np.ascontiguousarray(images.transpose(0, 2, 3, 1)), batch):
            interpreter.set_tensor(entry["index"], _to_codes(part, entry))
            interpreter.invoke()
            rows.append(_from_codes(interpreter.get_tensor(last["index"]), last))
        return np.concatenate(rows)

    return predict if batch == 1 else _filled(predict, batch)


def _parts(images: FloatImages, batch: int) -> Iterator[FloatImages]:
    for start in range(0, len(images), batch):
        yield images[start : start + batch]


def _filled(predict: Predict, batch: int) -> Predict:
    def filled(images: FloatImages) -> Logits:
        missing = -len(images) % batch
        padded = np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.float32)])
        return predict(padded)[: len(images)]

    return filled


def _to_codes(images: FloatImages, entry: dict[str, Any]) -> NDArray[np.generic]:
    if entry["dtype"] == np.float32:
        return images
    step, zero = entry["quantization"]
    limits = np.iinfo(entry["dtype"])
    return np.clip(np.round(images / step) + zero, limits.min, limits.max).astype(entry["dtype"])


def _from_codes(values: NDArray[Any], entry: dict[str, Any]) -> Logits:
    if entry["dtype"] == np.float32:
        return np.array(values, np.float32)
    step, zero = entry["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(step)


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
