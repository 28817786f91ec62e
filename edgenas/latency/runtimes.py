"""The registry of runtimes: what executes model files on a device. Imports none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeAlias, get_args

from edgenas.errors import InputError, explain
from edgenas.registry import Registry

FileFormat = Literal["onnx", "tflite"]
RuntimeName: TypeAlias = str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeKind:
    """One runtime; the entries of `RUNTIMES`.

    Attributes:
        reads: The format of its files.
        engine: Makes an `edgenas.measure.engines.base.Runtime` of the registry's name; or "module:attribute" of that.
    """

    reads: FileFormat
    engine: Callable[[], Any] | str

    def __post_init__(self) -> None:
        if self.reads not in get_args(FileFormat):
            allowed = ", ".join(get_args(FileFormat))
            raise InputError(explain("a runtime reads no such files", got=repr(self.reads), allowed=allowed))

    def make(self) -> Any:
        """Return the runtime; its module is imported here."""
        if not isinstance(self.engine, str):
            return self.engine()
        module, _, attribute = self.engine.partition(":")
        return getattr(import_module(module), attribute)()


_OWN = {
    "ort": RuntimeKind(reads="onnx", engine="edgenas.measure.engines.ort:OrtRuntime"),
    "litert": RuntimeKind(reads="tflite", engine="edgenas.measure.engines.litert:LiteRtRuntime"),
}

RUNTIMES: Registry[RuntimeKind] = Registry(
    "runtime",
    group="edgenas.runtimes",
    entries=_OWN,
    check=lambda found: isinstance(found, RuntimeKind),
    expected="an edgenas.latency.runtimes.RuntimeKind",
    error=InputError,
)
"""Entry points of the group `edgenas.runtimes` add to it; what a package adds measures on this machine only."""

FILE_FORMATS: dict[str, FileFormat] = {name: kind.reads for name, kind in _OWN.items()}
"""By runtime of edgenas: what it reads. These formats are written directly."""
