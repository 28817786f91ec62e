"""Names of the file formats and of the runtimes that read them."""

from __future__ import annotations

from typing import Literal

from edgenas.errors import ExportError, explain, nearest

FileFormat = Literal["onnx", "tflite"]
Precision = Literal["fp32", "fp16", "int8"]
# By runtime: what it reads.
FILE_FORMATS: dict[str, FileFormat] = {"ort": "onnx", "litert": "tflite"}


def file_format_of(runtime: str) -> FileFormat:
    """Return the format that a runtime reads.

    Args:
        runtime: `ort` or `litert`.

    Raises:
        ExportError: There is no such runtime.
    """
    if runtime not in FILE_FORMATS:
        known = ", ".join(FILE_FORMATS)
        raise ExportError(explain(f"unknown runtime{nearest(runtime, FILE_FORMATS)}", got=repr(runtime), allowed=known))
    return FILE_FORMATS[runtime]


def as_file_format(name: str) -> FileFormat:
    """Return a name as the format that it names.

    Args:
        name: `onnx` or `tflite`.

    Raises:
        ExportError: Files of that name are not written directly.
    """
    for known in FILE_FORMATS.values():
        if name == known:
            return known
    allowed = tuple(FILE_FORMATS.values())
    raise ExportError(
        explain(f"unknown file format{nearest(name, allowed)}", got=repr(name), allowed=", ".join(allowed))
    )
