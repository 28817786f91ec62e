"""The device and the runtime of a measurement. A table may be used only where both match."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edgenas.errors import InputError, explain

Mode = Literal["hot", "cold"]
Precision = Literal["fp32", "fp16", "int8"]
RuntimeName = Literal["ort", "litert"]

MODES: tuple[str, ...] = get_args(Mode)
PRECISIONS: tuple[str, ...] = get_args(Precision)
RUNTIMES: tuple[str, ...] = get_args(RuntimeName)

# Instruction sets that the kernels of ONNX Runtime and XNNPACK choose by. Others do not change a table.
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
    """

    machine: str
    cpu: str
    isa: tuple[str, ...]
    cores: int
    memory_mib: int = 0

    @property
    def slug(self) -> str:
        """Folder name for tables of this device, such as `x86-64-avx512-amd-epyc`."""
        level = next((name for name in ("avx512f", "avx2", "asimddp", "asimd") if name in self.isa), "base")
        text = f"{self.machine}-{level.removesuffix('f')}-{self.cpu}"
        return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

    def differences(self, other: DeviceInfo) -> tuple[str, ...]:
        """Return the differences of `other` that matter for latency.

        Args:
            other: The device at hand; `self` is the table's.

        Returns:
            Clauses such as `cpu: 'A' in the table, 'B' here`; empty for the same kind of device.
        """
        found = [
            f"{name}: {getattr(self, name)!r} in the table, {getattr(other, name)!r} here"
            for name in ("machine", "cpu")
            if getattr(self, name) != getattr(other, name)
        ]
        missing = sorted(set(self.isa) - set(other.isa))
        added = sorted(set(other.isa) - set(self.isa))
        if missing or added:
            found.append(f"instruction sets: only in the table {missing}, only here {added}")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeInfo:
    """What ran the files, and how.

    Attributes:
        runtime: `ort` or `litert`.
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
        for name, allowed in (("runtime", RUNTIMES), ("precision", PRECISIONS), ("mode", MODES)):
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
    *, machine: str, cpuinfo: str, processor: str = "", cores: int = 1, memory_mib: int = 0
) -> DeviceInfo:
    """Make a `DeviceInfo` from the facts that a system reports, this machine's or a remote one's.

    Args:
        machine: Architecture as the system names it.
        cpuinfo: Text of /proc/cpuinfo, empty on systems without it.
        processor: What Python calls the processor, for systems without it.
        cores: Logical processors that may be used.
        memory_mib: Main memory, MiB; 0 where unknown.
    """
    first = cpuinfo.split("\n\n", 1)[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in pairs}
    words = set((fields.get("flags") or fields.get("Features") or "").split())
    return DeviceInfo(
        machine=machine,
        cpu=fields.get("model name") or fields.get("Hardware") or processor or "unknown",
        isa=tuple(sorted(words.intersection(_KERNEL_FLAGS))),
        cores=cores,
        memory_mib=memory_mib,
    )


def local_device() -> DeviceInfo:
    """Describe the machine this process runs on."""
    path = Path("/proc/cpuinfo")
    affinity = getattr(os, "sched_getaffinity", None)
    return described_device(
        machine=platform.machine(),
        cpuinfo=path.read_text(encoding="utf-8", errors="replace") if path.exists() else "",
        processor=platform.processor(),
        cores=len(affinity(0)) if affinity else (os.cpu_count() or 1),
        memory_mib=_memory_mib(),
    )


def _memory_mib() -> int:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
