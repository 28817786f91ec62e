"""What loads ONNX and TFLite files for judging, as the registry of formats has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import DeviceError, ExportError, explain
from edgenas.formats import Predict
from edgenas.measure.engines.litert import interpreter_class
from edgenas.measure.engines.ort import OrtRuntime

FloatImages = NDArray[np.float32]
Logits = NDArray[np.float32]
# Images a run of a file of an open batch.
_CHUNK = 32


def open_onnx(data: bytes, threads: int) -> Predict:
    """Load an ONNX file; see `open_file`."""
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


def open_tflite(data: bytes, threads: int) -> Predict:
    """Load a TFLite file; see `open_file`."""
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
