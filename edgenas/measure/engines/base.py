"""The interface between the measuring protocol and the runtimes that execute model files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgenas.errors import DeviceError, explain
from edgenas.formats import FormatName
from edgenas.latency.runtimes import RuntimeName


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file in memory.

    Attributes:
        name: How results call it.
        data: The bytes of the file.
        file_format: A name of `edgenas.formats.FORMATS`.
        precision: fp32, fp16 or int8; only reported.
        runtime: What runs it; "" leaves that to the format.
    """

    name: str
    data: bytes
    file_format: FormatName
    precision: str = "fp32"
    runtime: RuntimeName = ""


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
        """Its name in the registry."""

    @property
    def file_format(self) -> FormatName:
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


def missing(package: str, purpose: str) -> DeviceError:
    """Return the error for a runtime that is not installed."""
    return DeviceError(
        explain(f"{package} is not installed, it is needed to {purpose}", remedy=f"Install it: pip install {package}")
    )
