"""All runtimes, by name and by the file format that they read."""

from __future__ import annotations

from collections.abc import Callable

from edgenas.errors import InputError, explain, nearest
from edgenas.formats.names import FILE_FORMATS
from edgenas.measure.engines.base import Runtime


def _ort() -> Runtime:
    from edgenas.measure.engines.ort import OrtRuntime

    return OrtRuntime()


def _litert() -> Runtime:
    from edgenas.measure.engines.litert import LiteRtRuntime

    return LiteRtRuntime()


_RUNTIMES: dict[str, Callable[[], Runtime]] = {"ort": _ort, "litert": _litert}
_BY_FORMAT = {read: name for name, read in FILE_FORMATS.items()}


def runtime(name: str) -> Runtime:
    """Return a runtime by name. Its package is not imported yet.

    Args:
        name: `ort` or `litert`.

    Raises:
        InputError: There is no such runtime.
    """
    if name not in _RUNTIMES:
        raise InputError(
            explain(f"unknown runtime {name!r}{nearest(name, _RUNTIMES)}", allowed=", ".join(_RUNTIMES))
        )
    return _RUNTIMES[name]()


def runtime_for(file_format: str) -> Runtime:
    """Return the runtime that executes a file format.

    Args:
        file_format: `onnx` or `tflite`.

    Raises:
        InputError: No runtime reads that format.
    """
    if file_format not in _BY_FORMAT:
        raise InputError(explain(f"unknown file format {file_format!r}", allowed=", ".join(_BY_FORMAT)))
    return runtime(_BY_FORMAT[file_format])
