"""A runtime by its name, or by the file format that it reads."""

from __future__ import annotations

from edgenas.errors import InputError, explain
from edgenas.latency.runtimes import FILE_FORMATS, RUNTIMES
from edgenas.measure.engines.base import ModelFile, Runtime

_BY_FORMAT = {read: name for name, read in FILE_FORMATS.items()}


def runtime(name: str) -> Runtime:
    """Return a runtime by name; nothing is imported from it yet.

    Args:
        name: `ort`, `litert`, or one that a package adds.

    Raises:
        InputError: There is no such runtime.
        PluginError: The package that adds it cannot be used.
    """
    made: Runtime = RUNTIMES[name].make()
    return made


def runtime_for(file_format: str) -> Runtime:
    """Return the runtime of edgenas that executes a file format.

    Args:
        file_format: `onnx` or `tflite`.

    Raises:
        InputError: No runtime reads that format.
    """
    if file_format not in _BY_FORMAT:
        raise InputError(explain(f"unknown file format {file_format!r}", allowed=", ".join(_BY_FORMAT)))
    return runtime(_BY_FORMAT[file_format])


def runtime_of(file: ModelFile) -> Runtime:
    """Return the runtime that a file names, or else that of its format.

    Raises:
        InputError: There is none, or it reads other files.
    """
    if not file.runtime:
        return runtime_for(file.file_format)
    reads = RUNTIMES[file.runtime].reads
    if reads != file.file_format:
        raise InputError(explain(f"{file.runtime} does not read {file.name}", got=file.file_format, allowed=reads))
    return runtime(file.runtime)
