"""What files of the system say about its cores: their kinds, clusters, governors and frequencies."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import glob

from edgenas.latency.arm_cores import core_name, is_little

CPUINFO = "/proc/cpuinfo"
MODELS = ("/proc/device-tree/model", "/sys/firmware/devicetree/base/model")
_CORES = "/sys/devices/system/cpu/cpu"
_OF_CORE = {
    "capacity": "cpu_capacity",
    "governor": "cpufreq/scaling_governor",
    "highest": "cpufreq/cpuinfo_max_freq",
    "low_limit": "cpufreq/scaling_min_freq",
    "high_limit": "cpufreq/scaling_max_freq",
}
# Files that tell about a device; patterns of `glob`. The agent reads them at the other end.
FACTS = (CPUINFO, *MODELS, *(f"{_CORES}[0-9]*/{name}" for name in _OF_CORE.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Cores of one kind.

    Attributes:
        core: Name of the core, such as `Cortex-A72`.
        cpus: Numbers of the processors, ascending.
        capacity: Computing power relative to the largest core's 1024, as Linux has it; 0 where it is not told.
        max_mhz: Highest frequency of the hardware; 0 where it is not told, as below.
        limits_mhz: Lowest and highest frequency that the system allows now.
        governor: What chooses the frequency; empty where it is not told.
    """

    core: str
    cpus: tuple[int, ...]
    capacity: int = 0
    max_mhz: int = 0
    limits_mhz: tuple[int, int] = (0, 0)
    governor: str = ""


def read_facts(patterns: Iterable[str] = FACTS) -> dict[str, str]:
    """Read the files that there are; what cannot be read is left out.

    Args:
        patterns: Of `glob`.

    Returns:
        Text by path.
    """
    found: dict[str, str] = {}
    for path in (path for pattern in patterns for path in sorted(glob(pattern))):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found[path] = file.read()
        except OSError:
            continue
    return found


def clusters_of(facts: Mapping[str, str]) -> tuple[Cluster, ...]:
    """Sort Arm cores into clusters, the most powerful first; empty for other processors.

    Args:
        facts: Text by path, see `FACTS`.
    """
    together: dict[tuple[object, ...], list[int]] = {}
    for cpu, name in _cores(facts.get(CPUINFO, "")).items():
        one = {key: facts.get(f"{_CORES}{cpu}/{path}", "").strip() for key, path in _OF_CORE.items()}
        limits = (_mhz(one["low_limit"]), _mhz(one["high_limit"]))
        kind = (name, _whole(one["capacity"]), _mhz(one["highest"]), limits, one["governor"])
        together.setdefault(kind, []).append(cpu)
    found = [
        Cluster(core=kind[0], capacity=kind[1], max_mhz=kind[2], limits_mhz=kind[3], governor=kind[4],  # type: ignore[arg-type]
                cpus=tuple(sorted(cpus)))
        for kind, cpus in together.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=_power, reverse=True))


def board_of(facts: Mapping[str, str]) -> str:
    """Return the model of the board as its device tree or its kernel has it; empty where neither tells.

    Args:
        facts: Text by path, see `FACTS`.
    """
    fields = cpuinfo_fields(facts.get(CPUINFO, ""))
    told = [facts.get(path, "") for path in MODELS] + [fields.get("Model", ""), fields.get("Hardware", "")]
    # A string of the device tree ends with a zero byte.
    return next((text for text in (text.replace("\0", " ").strip() for text in told) if text), "")


def cpuinfo_fields(text: str) -> dict[str, str]:
    """Return the fields of /proc/cpuinfo, of each the first that is not empty."""
    found: dict[str, str] = {}
    for key, value in _pairs(text):
        if value:
            found.setdefault(key, value)
    return found


def measuring_cpus(clusters: tuple[Cluster, ...], allowed: Iterable[int] | None) -> tuple[int, ...]:
    """Return where to measure on a device with several kinds of cores: the most powerful ones that may be used.

    Args:
        clusters: The most powerful first.
        allowed: Processors that may be used; all if None.

    Returns:
        Their numbers; empty, for no restriction, with fewer than two kinds of cores.
    """
    if len({(cluster.core, cluster.capacity, cluster.max_mhz) for cluster in clusters}) < 2:
        return ()
    may = None if allowed is None else set(allowed)
    own = (tuple(cpu for cpu in cluster.cpus if may is None or cpu in may) for cluster in clusters)
    return next((cpus for cpus in own if cpus), ())


def allowed_cpus() -> tuple[int, ...] | None:
    """Return the processors that this process may use; None where the system does not tell."""
    affinity = getattr(os, "sched_getaffinity", None)
    return tuple(sorted(affinity(0))) if affinity else None


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            yield key.strip(), value.strip()


def _cores(text: str) -> dict[int, str]:
    """Name of each Arm core by its number. Old kernels tell implementer and part once, after all cores."""
    numbers: dict[int, dict[str, int]] = {}
    last: dict[str, int] = {}
    for key, value in _pairs(text):
        if key == "processor" and value.isdecimal():
            last = numbers.setdefault(int(value), {})
        elif key in ("CPU implementer", "CPU part") and re.fullmatch(r"0x[0-9a-fA-F]+|[0-9]+", value):
            last[key] = int(value, 0)
    whole = {cpu: found for cpu, found in numbers.items() if len(found) == 2}
    if not whole:
        return {}
    one = next(reversed(whole.values()))
    return {
        cpu: core_name(told["CPU implementer"], told["CPU part"])
        for cpu, told in ((cpu, whole.get(cpu, one)) for cpu in numbers)
    }


def _power(cluster: Cluster) -> tuple[int, bool, int, int]:
    return (cluster.capacity, not is_little(cluster.core), cluster.max_mhz, -cluster.cpus[0])


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _mhz(khz: str) -> int:
    return round(_whole(khz) / 1000)
