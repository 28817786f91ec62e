"""Names of the file formats and of the runtimes that read them."""

from __future__ import annotations

from typing import Literal

from edgenas.errors import ExportError, explain, nearest
from edgenas.latency.runtimes import FILE_FORMATS, RUNTIMES, FileFormat

__all__ = ["FILE_FORMATS", "FileFormat", "Precision", "as_file_format", "file_format_of"]

Precision = Literal["fp32", "fp16", "int8"]


def file_format_of(runtime: str) -> FileFormat:
    """Return the format that a runtime reads.

    Args:
        runtime: `ort`, `litert`, or one that a package adds.

    Raises:
        ExportError: There is no such runtime.
    """
    if runtime not in RUNTIMES:
        known = ", ".join(RUNTIMES)
        hint = nearest(runtime, RUNTIMES.names())
        raise ExportError(explain(f"unknown runtime{hint}", got=repr(runtime), allowed=known))
    return RUNTIMES[runtime].reads


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
