"""Measuring on a device: runtimes, the protocol, model files, and the builder of latency tables."""

from edgenas.measure.build import build_table
from edgenas.measure.devices import Device, LocalDevice
from edgenas.measure.files import FileLatency, measure_files
from edgenas.measure.protocol import Business, Protocol, Samples, business, require_quiet
from edgenas.measure.remote import RemoteDevice
from edgenas.measure.runtime import ModelFile, Runtime, Session, runtime, runtime_for
from edgenas.measure.validate import Check, check_table, validate_table

__all__ = [
    "Business",
    "Check",
    "Device",
    "FileLatency",
    "LocalDevice",
    "ModelFile",
    "Protocol",
    "RemoteDevice",
    "Runtime",
    "Samples",
    "Session",
    "build_table",
    "business",
    "check_table",
    "measure_files",
    "require_quiet",
    "runtime",
    "runtime_for",
    "validate_table",
]
