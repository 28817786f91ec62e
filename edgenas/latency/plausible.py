"""Plausible ranges of a table's numbers. A table outside of them is refused instead of being trusted."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any

from edgenas.errors import TableError, explain
from edgenas.latency.table import LatencyTable

# A million times the reference network, in units of 1e-9: the largest network on the smallest reference has 1e5.
RATIO_LIMIT = 10**15
# Eleven days; no network takes so long.
# Chosen, not measured: a limit against damaged files.
LATENCY_LIMIT_MS = 1e9
# Chosen, not measured: a limit against damaged files.
KEY_LETTERS = 400

_ANY = (-math.inf, math.inf)
_NOT_NEGATIVE = (0.0, math.inf)
_PERCENT = (0.0, 100.0)
_POSITIVE = (1e-9, LATENCY_LIMIT_MS)
# A build of few networks on a busy machine may have an interval of +-164 %. Its table must be able to state that.
_RELATIVE = (0.0, 100.0)
# Smallest and largest value of each number, both allowed.
_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "device": {"cores": (1, 65_536), "memory_mib": _NOT_NEGATIVE, "affinity": (0, 65_535)},
    "runtime": {"threads": (1, 65_536)},
    "reference": {"latency_ms": _POSITIVE, "spread": _NOT_NEGATIVE, "error": (0.0, 1.0)},
    "build": {
        "networks": _NOT_NEGATIVE, "visits": _NOT_NEGATIVE, "runs": _NOT_NEGATIVE, "switches": _NOT_NEGATIVE,
        "seconds": _NOT_NEGATIVE, "load_per_core": _NOT_NEGATIVE, "seed": _NOT_NEGATIVE,
        "floor_ms": _POSITIVE,
    },
    "probes": {"ratio": (1e-9, 1e6)},
    "interval": {"level": (0.01, 0.9999), "relative": _RELATIVE, "networks": (1, 1e9), "visit_noise": _RELATIVE,
                 "left_out": _RELATIVE, "bias": (-1.0, 100.0), "bias_error": _RELATIVE},
    "validation": {
        "networks": (1, 1e9), "seed": _NOT_NEGATIVE, "mape_percent": _NOT_NEGATIVE, "median_percent": _NOT_NEGATIVE,
        "worst_percent": _NOT_NEGATIVE, "within_5_percent": _PERCENT, "within_10_percent": _PERCENT,
        "kendall_tau": (-1.0, 1.0), "interval_coverage_percent": _PERCENT, "visits": _NOT_NEGATIVE,
        "measured_error_percent": _NOT_NEGATIVE, "predicted_ms": _POSITIVE, "measured_ms": _POSITIVE,
    },
}  # fmt: skip
_SETTLING = {
    "latency_ms": _POSITIVE, "samples": (0.0, 1e4), "inner": (1.0, 1e6), "first_percent": (-100.0, 1e6),
}  # fmt: skip
_LOOPS = {
    "networks": (1.0, 1e9), "processes": (1.0, 1e6), "runs": (1.0, 1e9), "bias_percent": (-100.0, 1e4),
    "bias_error_percent": (0.0, 1e4), "mape_percent": _NOT_NEGATIVE, "coverage_percent": _PERCENT,
    "predicted_ms": _POSITIVE, "loop_ms": _POSITIVE,
}  # fmt: skip
_CLUSTER = {
    "cpus": (0.0, 65_535.0), "capacity": (0.0, 65_536.0), "max_mhz": (0.0, 1e6), "limits_mhz": (0.0, 1e6),
}  # fmt: skip


def require_plausible(table: LatencyTable, *, source: str) -> None:
    """Refuse a table whose numbers are impossible.

    Args:
        table: The table.
        source: How messages call it.

    Raises:
        TableError: A number is not finite or out of its range, no entry takes time, or a validation contradicts itself.
    """
    for part, ranges in _RANGES.items():
        found = getattr(table, part)
        for index, item in enumerate(found if isinstance(found, tuple) else () if found is None else (found,)):
            where = f"{source}: {part}[{index}]" if isinstance(found, tuple) else f"{source}: {part}"
            _require_ranges(item, ranges, where)
    for index, cluster in enumerate(table.device.clusters):
        _require_ranges(cluster, _CLUSTER, f"{source}: device.clusters[{index}]")
    for index, record in enumerate(table.build.settling):
        _require_ranges(record, _SETTLING, f"{source}: build.settling[{index}]")
    _require_moments(table, source)
    _require_entries(table, source)
    if not re.fullmatch(r"[0-9a-f]{32}", table.reference.digest):
        got = repr(table.reference.digest)
        raise TableError(explain(f"{source}: reference.digest cannot be", got=got, allowed="32 hex digits"))
    validation = table.validation
    if validation is not None:
        lengths = {len(validation.predicted_ms), len(validation.measured_ms), validation.networks}
        if len(lengths) > 1:
            what = f"{source}: validation: not as many latencies as networks"
            raise TableError(explain(what, got=", ".join(map(str, sorted(lengths)))))
        loops = validation.loops
        if loops is not None:
            _require_ranges(loops, _LOOPS, f"{source}: validation.loops")
            if not len(loops.predicted_ms) == len(loops.loop_ms) == loops.networks:
                raise TableError(explain(f"{source}: validation.loops: not as many latencies as networks"))
        if not validation.median_percent <= validation.worst_percent:
            raise TableError(explain(f"{source}: validation: the median error is larger than the worst"))


def _require_moments(table: LatencyTable, source: str) -> None:
    validation = table.validation
    loops = validation.loops if validation is not None else None
    moments = {
        "reference.at": table.reference.at, "build.begun": table.build.begun, "build.ended": table.build.ended,
        "validation.at": validation.at if validation is not None else "",
        "validation.loops.at": loops.at if loops is not None else "",
    }  # fmt: skip
    for name, text in moments.items():
        try:
            known = not text or datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            known = False
        if not known:
            raise TableError(explain(f"{source}: {name} is no moment", got=repr(text), allowed="UTC, in ISO 8601"))


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, (int, float)):
        yield value


def _require_ranges(item: object, ranges: dict[str, tuple[float, float]], where: str) -> None:
    for entry in fields(item):  # type: ignore[arg-type]
        low, high = ranges.get(entry.name, _ANY)
        for number in _numbers(getattr(item, entry.name)):
            if not (math.isfinite(number) and low <= number <= high):
                allowed = "a finite number" if (low, high) == _ANY else f"{low:g} to {high:g}"
                raise TableError(explain(f"{where}.{entry.name} cannot be", got=repr(number), allowed=allowed))


def _require_entries(table: LatencyTable, source: str) -> None:
    for key, entry in table.entries.items():
        if max(entry.ratio, entry.error) > RATIO_LIMIT or len(key) > KEY_LETTERS:
            allowed = f"ratio and error up to {RATIO_LIMIT:,}, a key of up to {KEY_LETTERS} letters"
            raise TableError(explain(f"{source}: the entry {key!r} is too large", got=repr(entry), allowed=allowed))
    if not any(entry.ratio for entry in table.entries.values()):
        raise TableError(explain(f"{source}: no entry takes any time", remedy="Build or fetch it again."))
