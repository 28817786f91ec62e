"""LiteRT (TensorFlow Lite) on the CPU with XNNPACK; tflite-runtime where LiteRT is missing."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from edgenas.errors import DeviceError, explain
from edgenas.measure.device import agent
from edgenas.measure.engines.base import Session, missing


def interpreter_class() -> tuple[Any, str]:
    """Return the interpreter class and the name of the package it came from.

    Raises:
        DeviceError: Neither package is installed.
    """
    try:
        return agent.litert_class()
    except ImportError as error:
        raise missing("ai-edge-litert", "run TFLite files (tflite-runtime with numpy < 2 serves too)") from error


class LiteRtSession:
    """A loaded TFLite file."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self.run = interpreter.invoke

    def outputs(self) -> tuple[np.ndarray, ...]:
        """Run once and return the outputs."""
        self.run()
        details = self._interpreter.get_output_details()
        return tuple(self._interpreter.get_tensor(entry["index"]).copy() for entry in details)


class LiteRtRuntime:
    """The interpreter with its default XNNPACK delegate."""

    name: Literal["litert"] = "litert"
    file_format: Literal["tflite"] = "tflite"

    def version(self) -> str:
        """Version of the package; `tflite-runtime VERSION` for the older one."""
        interpreter_class()
        return agent.version_of("litert")

    def open(self, data: bytes, *, threads: int = 1) -> Session:
        """Load a model; see `Runtime.open`."""
        package = interpreter_class()[1]
        try:
            return LiteRtSession(agent.litert_interpreter(data, threads=threads))
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DeviceError(explain(f"{package} refuses the file: {reason}")) from error
