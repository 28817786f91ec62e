"""Measuring on a device: runtimes, the protocol, model files, and the builder of latency tables."""

from edgenas.measure.files import FileLatency, measure_files
from edgenas.measure.protocol import Business, Protocol, Samples, business, require_quiet
from edgenas.measure.runtime import ModelFile, Runtime, Session, runtime, runtime_for

__all__ = [
    "Business",
    "FileLatency",
    "ModelFile",
    "Protocol",
    "Runtime",
    "Samples",
    "Session",
    "business",
    "measure_files",
    "require_quiet",
    "runtime",
    "runtime_for",
]
