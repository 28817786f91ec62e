"""Measuring on a device: runtimes, the protocol, model files, and the builder of latency tables."""

from edgenas.measure.device.local import Device, LocalDevice
from edgenas.measure.device.remote import RemoteDevice
from edgenas.measure.engines.base import ModelFile, Runtime, Session
from edgenas.measure.engines.registry import runtime, runtime_for
from edgenas.measure.files import FileLatency, measure_files
from edgenas.measure.protocol.timing import Business, Protocol, Samples, business, require_quiet
from edgenas.measure.table.build import build_table
from edgenas.measure.table.validate import Check, check_table, present, validate_table

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
    "present",
    "require_quiet",
    "runtime",
    "runtime_for",
    "validate_table",
]
