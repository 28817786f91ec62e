"""Latency tables and predictions from them; knows no runtime."""

from edgenas.latency.device import (
    MODES,
    PRECISIONS,
    DeviceInfo,
    Mode,
    Precision,
    RuntimeInfo,
    local_device,
)
from edgenas.latency.document import read_table, table_digest, write_table
from edgenas.latency.library import ListedTable, list_tables, open_table, shipped_name, shipped_table
from edgenas.latency.predict import LayerLatency, PopulationLatency, Prediction, SpaceLatency, predict
from edgenas.latency.records import Loops, Settling
from edgenas.latency.runtimes import RUNTIMES, RuntimeKind, RuntimeName
from edgenas.latency.table import (
    RATIO_UNIT,
    BuildInfo,
    Correction,
    Entry,
    Interval,
    LatencyTable,
    Probe,
    Reference,
    Validation,
)
from edgenas.latency.units import Unit, graph_units, units

__all__ = [
    "MODES",
    "PRECISIONS",
    "RATIO_UNIT",
    "RUNTIMES",
    "BuildInfo",
    "Correction",
    "DeviceInfo",
    "Entry",
    "Interval",
    "LatencyTable",
    "LayerLatency",
    "ListedTable",
    "Loops",
    "Mode",
    "PopulationLatency",
    "Precision",
    "Prediction",
    "Probe",
    "Reference",
    "RuntimeInfo",
    "RuntimeKind",
    "RuntimeName",
    "Settling",
    "SpaceLatency",
    "Unit",
    "Validation",
    "graph_units",
    "list_tables",
    "local_device",
    "open_table",
    "predict",
    "read_table",
    "shipped_name",
    "shipped_table",
    "table_digest",
    "units",
    "write_table",
]
