"""The device and the runtime of a measurement. A table may be used only where both match."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from edgenas.errors import DeviceError, InputError, explain
from edgenas.latency.processors import (
    CPUINFO,
    FACTS,
    Cluster,
    allowed_cpus,
    board_of,
    clusters_of,
    cpuinfo_fields,
    measuring_cpus,
    read_facts,
)
from edgenas.latency.runtimes import RUNTIMES, RuntimeName

Mode = Literal["hot", "cold"]
Precision = Literal["fp32", "fp16", "int8"]

MODES: tuple[str, ...] = get_args(Mode)
PRECISIONS: tuple[str, ...] = get_args(Precision)

UNKNOWN = "unknown"
NAME_VARIABLE = "EDGENAS_DEVICE_NAME"
# Names of architectures, which some systems give instead of a processor's name.
_NO_NAMES = (UNKNOWN, "arm", "arm64", "aarch64", "armv7l", "i386", "i686", "x86_64", "amd64", "riscv64")
# Fields that tables of older versions do not have.
_ADDED = ("model", "clusters", "affinity")
# Instruction sets that the kernels of ONNX Runtime and XNNPACK choose by. Others do not change a table.
# From the names of the kernels that the two runtimes choose by; whether each changes a table was not measured.
_KERNEL_FLAGS = (
    "avx",
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "neon",
    "asimd",
    "asimddp",
    "asimdhp",
    "i8mm",
    "sve",
    "bf16",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """The processor that a latency belongs to.

    Attributes:
        machine: Architecture as the system names it (`x86_64`, `aarch64`).
        cpu: Model name of the processor.
        isa: Instruction sets that the runtimes choose kernels by, sorted.
        cores: Logical processors that this process may use.
        memory_mib: Main memory, MiB; 0 where unknown. Not part of the identity.
        model: Model of the board, as its device tree has it, or a name that was given; empty where there is none.
        clusters: Cores by kind, the most powerful first; empty for processors whose cores have no part numbers.
        affinity: Processors that measurements run on; empty for no restriction.
    """

    machine: str
    cpu: str
    isa: tuple[str, ...]
    cores: int
    memory_mib: int = 0
    model: str = ""
    clusters: tuple[Cluster, ...] = ()
    affinity: tuple[int, ...] = ()

    @property
    def slug(self) -> str:
        """Folder name for tables of this device, such as `x86-64-avx512-amd-epyc`."""
        level = next((name for name in ("avx512f", "avx2", "asimddp", "asimd", "neon") if name in self.isa), "base")
        text = f"{self.machine}-{level.removesuffix('f')}-{self.cpu}-{_kind_of(self.model)}"
        return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

    @property
    def is_known(self) -> bool:
        """Whether anything tells this processor from others of its architecture."""
        return self.cpu != UNKNOWN

    def plain(self) -> dict[str, Any]:
        """Return plain values for a document, without fields that say nothing and that older tables do not have."""
        found = asdict(self)
        return {name: value for name, value in found.items() if value or name not in _ADDED}

    def differences(self, other: DeviceInfo) -> tuple[str, ...]:
        """Compare with the device at hand, in all that matters for latency.

        Args:
            other: The device at hand; `self` is the table's.

        Returns:
            Clauses such as `cpu: 'A' in the table, 'B' here`; empty for the same kind of device. An unknown processor
            is like no other.
        """
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in ("machine", "cpu", "affinity")]
        pairs.insert(2, ("model", _kind_of(self.model), _kind_of(other.model)))
        found = [f"{name}: {own!r} in the table, {here!r} here" for name, own, here in pairs if own != here]
        if self.cpu == other.cpu and not self.is_known:
            found.append("cpu: not known, neither in the table nor here")
        missing = sorted(set(self.isa) - set(other.isa))
        added = sorted(set(other.isa) - set(self.isa))
        if missing or added:
            found.append(f"instruction sets: only in the table {missing}, only here {added}")
        return (*found, *_cluster_differences(self.clusters, other.clusters))


def _kind_of(model: str) -> str:
    """Model of a board without its revision: boards of all revisions have the same cores."""
    return re.sub(r"\s+Rev(ision)?\.?\s+\S+$", "", model)


def _cluster_differences(table: tuple[Cluster, ...], here: tuple[Cluster, ...]) -> tuple[str, ...]:
    own, other = ([(cluster.core, len(cluster.cpus)) for cluster in clusters] for clusters in (table, here))
    if own != other:
        texts = [" + ".join(f"{number} x {core}" for core, number in several) or "not told" for several in (own, other)]
        return (f"cores: {texts[0]} in the table, {texts[1]} here",)
    found = []
    for first, second in zip(table, here, strict=True):
        for name in ("max_mhz", "limits_mhz", "governor"):
            values = getattr(first, name), getattr(second, name)
            # What one of the two systems does not tell is no difference.
            if all(value and value != (0, 0) for value in values) and values[0] != values[1]:
                found.append(f"{name} of {first.core}: {values[0]!r} in the table, {values[1]!r} here")
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeInfo:
    """What ran the files, and how.

    Attributes:
        runtime: `ort`, `litert`, or one that a package adds.
        version: Version of the runtime's package; kernels and fusions change with it.
        precision: Of weights and activations.
        scheme: Quantisation scheme of the written file; `none` for floating point.
        threads: Threads within one operation.
        mode: `hot` (back-to-back runs of one network) or `cold` (alternated with another network).
    """

    runtime: RuntimeName
    version: str
    precision: Precision
    scheme: str
    threads: int
    mode: Mode

    def __post_init__(self) -> None:
        for name, allowed in (("runtime", RUNTIMES.names()), ("precision", PRECISIONS), ("mode", MODES)):
            if getattr(self, name) not in allowed:
                raise InputError(explain(f"unknown {name}", got=repr(getattr(self, name)), allowed=allowed))
        if self.threads < 1:
            raise InputError(explain("threads must be positive", got=self.threads))

    @property
    def slug(self) -> str:
        """File name of a table without its ending, such as `ort-fp32-t1-hot`."""
        return f"{self.runtime}-{self.precision}-t{self.threads}-{self.mode}"

    def differences(self, other: RuntimeInfo) -> tuple[str, ...]:
        """Return the differences of `other`; see `DeviceInfo.differences`."""
        return tuple(
            f"{name}: {getattr(self, name)!r} in the table, {getattr(other, name)!r} here"
            for name in ("runtime", "version", "precision", "scheme", "threads", "mode")
            if getattr(self, name) != getattr(other, name)
        )


def described_device(
    *,
    machine: str,
    facts: Mapping[str, str],
    processor: str = "",
    cores: int = 1,
    memory_mib: int = 0,
    name: str = "",
    affinity: Sequence[int] = (),
) -> DeviceInfo:
    """Make a `DeviceInfo` from the facts that a system reports, this machine's or a remote one's.

    Args:
        machine: Architecture as the system names it.
        facts: Text of the files of `processors.FACTS` that there are, by path.
        processor: What Python calls the processor, for systems without /proc/cpuinfo.
        cores: Logical processors that may be used.
        memory_mib: Main memory, MiB; 0 where unknown.
        name: Given by a person: of the processor where nothing else names it, else of the board.
        affinity: Processors that measurements run on; empty for no restriction.
    """
    fields = cpuinfo_fields(facts.get(CPUINFO, ""))
    words = set((fields.get("flags") or fields.get("Features") or "").split())
    clusters = clusters_of(facts)
    cpu = " + ".join(dict.fromkeys(cluster.core for cluster in clusters)) or _named(fields, processor, machine)
    board = "" if _is_x86(machine) else board_of(facts)
    return DeviceInfo(
        machine=machine,
        cpu=name if name and cpu == UNKNOWN else cpu,
        isa=tuple(sorted(words.intersection(_KERNEL_FLAGS))),
        cores=cores,
        memory_mib=memory_mib,
        model=name if name and cpu != UNKNOWN else board,
        clusters=clusters,
        affinity=tuple(affinity),
    )


def _named(fields: Mapping[str, str], processor: str, machine: str) -> str:
    """Name of a processor that is not of Arm, or whose kernel tells no part numbers."""
    told = [fields.get(name, "") for name in ("model name", "uarch", "cpu model", "cpu")] + [processor]
    return next((text for text in told if text and text.lower() not in {*_NO_NAMES, machine.lower()}), UNKNOWN)


def _is_x86(machine: str) -> bool:
    return machine.lower() in ("x86_64", "amd64", "i386", "i686")


def require_known(device: DeviceInfo, *, remedy: str) -> None:
    """Refuse a processor that nothing tells from others: tables of it would be taken on every such device.

    Args:
        device: The device.
        remedy: How to give it a name.

    Raises:
        DeviceError: It is unknown.
    """
    if not device.is_known:
        what = "the system does not say which processor this is, so a table could not be told from those of others"
        raise DeviceError(explain(what, got=f"machine {device.machine!r}, cpu {device.cpu!r}", remedy=remedy))


def local_device() -> DeviceInfo:
    """Describe the machine this process runs on. `EDGENAS_DEVICE_NAME` names a machine without a model name."""
    machine, allowed = platform.machine(), allowed_cpus()
    facts = read_facts((CPUINFO,) if _is_x86(machine) else FACTS)
    return described_device(
        machine=machine,
        facts=facts,
        processor=_processor(),
        cores=len(allowed) if allowed is not None else (os.cpu_count() or 1),
        memory_mib=_memory_mib(),
        name=os.environ.get(NAME_VARIABLE, ""),
        affinity=measuring_cpus(clusters_of(facts), allowed),
    )


def _processor() -> str:
    """What the system calls its processor, for systems without /proc/cpuinfo."""
    if platform.system() != "Darwin":
        return platform.processor()
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _memory_mib() -> int:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
