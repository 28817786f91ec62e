"""The seam between the measuring protocol and whatever executes a model file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgenas.errors import DeviceError, InputError, explain, nearest
from edgenas.formats.names import FILE_FORMATS, FileFormat
from edgenas.latency.device import RuntimeName


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file in memory.

    Attributes:
        name: How results call it.
        data: The bytes of the file.
        file_format: `onnx` or `tflite`.
        precision: fp32, fp16 or int8; only reported.
    """

    name: str
    data: bytes
    file_format: FileFormat
    precision: str = "fp32"


class Session(Protocol):
    """A loaded model with its input in place."""

    def run(self) -> None:
        """Run the model once on the fixed input, in the caller's thread where `threads` is 1."""

    def outputs(self) -> tuple[np.ndarray, ...]:
        """Run once and return the outputs."""


class Runtime(Protocol):
    """Something that executes one kind of model file on the local machine."""

    @property
    def name(self) -> RuntimeName:
        """`ort` or `litert`."""

    @property
    def file_format(self) -> FileFormat:
        """The format it reads."""

    def version(self) -> str:
        """Version of the runtime.

        Raises:
            DeviceError: It is not installed.
        """

    def open(self, data: bytes, *, threads: int = 1) -> Session:
        """Load a model and set a fixed pseudo-random input.

        Args:
            data: Bytes of the file.
            threads: Threads within one operation.

        Raises:
            DeviceError: The runtime is not installed, or refuses the file.
        """


def _ort() -> Runtime:
    from edgenas.measure.ort import OrtRuntime

    return OrtRuntime()


def _litert() -> Runtime:
    from edgenas.measure.litert import LiteRtRuntime

    return LiteRtRuntime()


_RUNTIMES: dict[str, Callable[[], Runtime]] = {"ort": _ort, "litert": _litert}
_BY_FORMAT = {read: name for name, read in FILE_FORMATS.items()}


def runtime(name: str) -> Runtime:
    """Return a runtime by name; nothing is imported from it yet.

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


def missing(package: str, purpose: str) -> DeviceError:
    """Return the error for a runtime that is not installed."""
    return DeviceError(
        explain(f"{package} is not installed, it is needed to {purpose}", remedy=f"Install it: pip install {package}")
    )
