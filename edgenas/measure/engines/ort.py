"""ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from edgenas.errors import DeviceError, explain
from edgenas.measure.device import agent
from edgenas.measure.engines.base import Session, missing


def _require() -> None:
    try:
        import onnxruntime  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise missing("onnxruntime", "run ONNX files") from error


class OrtSession:
    """A loaded ONNX file."""

    def __init__(self, session: Any) -> None:
        self._session = session
        try:
            self.run = agent.ort_bound(session)
        except ValueError as error:
            raise DeviceError(explain(str(error))) from error

    def outputs(self) -> tuple[np.ndarray, ...]:
        """Run once and return the outputs."""
        return tuple(self._session.run(None, agent.ort_feed(self._session)))


class OrtRuntime:
    """ONNX Runtime's CPU provider with all graph optimisations, one operation at a time."""

    name: Literal["ort"] = "ort"
    file_format: Literal["onnx"] = "onnx"

    def version(self) -> str:
        """Version of the package."""
        _require()
        return agent.version_of("ort")

    def open(self, data: bytes, *, threads: int = 1) -> Session:
        """Load a model; see `Runtime.open`."""
        return OrtSession(self.native(data, threads=threads))

    def native(self, data: bytes, *, threads: int = 1, profile_prefix: str = "") -> Any:
        """Return ONNX Runtime's own session.

        Args:
            data: Bytes of the file.
            threads: Threads within one operation.
            profile_prefix: Where its profiler writes; empty for no profile.

        Raises:
            DeviceError: Not installed, or the file is refused.
        """
        _require()
        try:
            return agent.ort_session(data, threads=threads, profile_prefix=profile_prefix)
        except Exception as error:  # ONNX Runtime raises a family of types of its own, all of them about the file
            raise DeviceError(explain(f"ONNX Runtime refuses the file: {str(error).splitlines()[0]}")) from error
