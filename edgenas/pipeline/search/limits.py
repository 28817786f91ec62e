"""The limits of a device beside its latency: which key of `target` limits which metric. One table for all uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from edgenas.config.sections.target import TargetSection

KIB = 1024


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _kib(value: float) -> str:
    return f"{value / KIB:,.3f} KiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitKind:
    """What a key of `target` limits.

    Attributes:
        key: The key.
        unit: Of the metric.
        factor: From the key's value to the metric.
        text: Writes a value of the metric.
    """

    key: str
    unit: str
    factor: float
    text: Callable[[float], str]


LIMITS: Mapping[str, LimitKind] = MappingProxyType(
    {
        "macs": LimitKind(key="max_macs", unit="MAC", factor=1, text=_whole),
        "params": LimitKind(key="max_params", unit="parameter", factor=1, text=_whole),
        "file_bytes": LimitKind(key="max_file_kib", unit="byte", factor=KIB, text=_kib),
        "ram_bytes": LimitKind(key="max_ram_kib", unit="byte", factor=KIB, text=_kib),
    }
)
"""By metric."""

SIZES = ("file_bytes", "ram_bytes")
"""Metrics of the file that ships."""


def limits_of(target: TargetSection) -> dict[str, float]:
    """Return the largest allowed value of each limited metric."""
    values = {metric: getattr(target, kind.key) for metric, kind in LIMITS.items()}
    return {metric: value * LIMITS[metric].factor for metric, value in values.items() if value is not None}


def target_document(target: TargetSection) -> dict[str, Any]:
    """Return the section for fingerprints: keys of newer versions, left at their defaults, are left out."""
    unused = {"max_params", "max_file_kib", "max_ram_kib", "ram_of"} - {
        name for name, value in target.model_dump().items() if value is not None
    }
    return target.model_dump(exclude=unused)


def limit_rows(values: Mapping[str, float], target: TargetSection) -> list[dict[str, str]]:
    """Return for each limit its key, the value that the delivered network has, and the limit, as texts."""
    return [
        {"key": LIMITS[metric].key, "value": LIMITS[metric].text(values[metric]), "limit": LIMITS[metric].text(most)}
        for metric, most in limits_of(target).items()
    ]


def beyond(values: Mapping[str, float], target: TargetSection) -> str | None:
    """Say which limit values by metric break first; None where they break none. A missing value breaks nothing."""
    for metric, most in limits_of(target).items():
        if metric in values and not values[metric] <= most:
            kind = LIMITS[metric]
            return f"{kind.text(values[metric])} over target.{kind.key} of {kind.text(most)}"
    return None
