"""The registry of runtimes: what executes model files on a device. Imports none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgenas.errors import InputError
from edgenas.registry import Registry, resolved

RuntimeName: TypeAlias = str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeKind:
    """One runtime; the entries of `RUNTIMES`.

    Attributes:
        reads: The name of the format of its files, of `edgenas.formats.FORMATS`.
        engine: Makes an `edgenas.measure.engines.base.Runtime` of the registry's name; or "module:attribute" of that.
    """

    reads: str
    engine: Callable[[], Any] | str

    def make(self) -> Any:
        """Return the runtime; its module is imported here."""
        return resolved(self.engine, what="the engine of a runtime")()


RUNTIMES: Registry[RuntimeKind] = Registry(
    "runtime",
    group="edgenas.runtimes",
    entries={
        "ort": RuntimeKind(reads="onnx", engine="edgenas.measure.engines.ort:OrtRuntime"),
        "litert": RuntimeKind(reads="tflite", engine="edgenas.measure.engines.litert:LiteRtRuntime"),
    },
    check=lambda found: isinstance(found, RuntimeKind),
    expected="an edgenas.latency.runtimes.RuntimeKind",
    error=InputError,
)
"""Entry points of the group `edgenas.runtimes` add to it; what a package adds measures on this machine only."""
