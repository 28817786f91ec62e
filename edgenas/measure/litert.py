"""LiteRT (TensorFlow Lite) on the CPU with XNNPACK; tflite-runtime where LiteRT is missing."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np

from edgenas.errors import DeviceError, explain
from edgenas.measure.runtime import Session, missing, random_input

# In order of preference. tflite-runtime 2.14 imports beside numpy 2 and then fails to make an interpreter.
_PACKAGES = (("ai_edge_litert.interpreter", "ai-edge-litert"), ("tflite_runtime.interpreter", "tflite-runtime"))


def interpreter_class() -> tuple[Any, str]:
    """Return the interpreter class and the name of the package it came from.

    Raises:
        DeviceError: Neither package is installed.
    """
    for module, package in _PACKAGES:
        try:
            return importlib.import_module(module).Interpreter, package
        except ImportError:
            continue
    raise missing("ai-edge-litert", "run TFLite files (tflite-runtime with numpy < 2 serves too)")


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Silence file descriptor 2: the interpreter's C++ side announces its delegate for every model it loads."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


class LiteRtSession:
    """A loaded TFLite file."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self.run = interpreter.invoke
        for entry in interpreter.get_input_details():
            shape = tuple(int(axis) for axis in entry["shape"])
            interpreter.set_tensor(entry["index"], random_input(shape, np.dtype(entry["dtype"])))

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
        package = interpreter_class()[1]
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "unknown"
        return found if package == "ai-edge-litert" else f"{package} {found}"

    def open(self, data: bytes, *, threads: int = 1) -> Session:
        """Load a model; see `Runtime.open`."""
        interpreter, package = interpreter_class()
        try:
            with _quiet_stderr():
                loaded = interpreter(model_content=bytes(data), num_threads=threads)
                loaded.allocate_tensors()
                return LiteRtSession(loaded)
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DeviceError(explain(f"{package} refuses the file: {reason}")) from error
