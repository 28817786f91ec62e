"""What /proc and /sys say on ten boards and phones.

The texts are composed from public documentation (device trees of Linux, manuals of the cores, logs that people posted);
they are shortened to the fields that matter, and none was recorded by us.
"""

from __future__ import annotations

from edgenas.latency import DeviceInfo
from edgenas.latency.device import described_device
from edgenas.latency.processors import clusters_of, measuring_cpus

_V8 = "fp asimd evtstrm crc32 cpuid"
_V82 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"

# Cores of a kind: how many, implementer, part, capacity or "", lowest and highest kHz.
_Kind = tuple[int, str, str, str, int, int]


def _cpuinfo(kinds: list[_Kind], features: str, tail: str = "", model_name: str = "") -> str:
    blocks = []
    for count, implementer, part, *_ in kinds:
        for _ in range(count):
            name = f"model name\t: {model_name}\n" if model_name else ""
            blocks.append(
                f"processor\t: {len(blocks)}\n{name}BogoMIPS\t: 48.00\nFeatures\t: {features}\n"
                f"CPU implementer\t: {implementer}\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {part}\n"
                "CPU revision\t: 3\n"
            )
    return "\n".join(blocks) + (f"\n{tail}\n" if tail else "")


def _board(
    kinds: list[_Kind], *, features: str, governor: str, model: str = "", tail: str = "", model_name: str = ""
) -> dict[str, str]:
    facts = {"/proc/cpuinfo": _cpuinfo(kinds, features, tail, model_name)}
    if model:
        facts["/proc/device-tree/model"] = model + "\0"
    cpu = 0
    for count, _, _, capacity, lowest, highest in kinds:
        for _ in range(count):
            folder = f"/sys/devices/system/cpu/cpu{cpu}"
            if capacity:
                facts[f"{folder}/cpu_capacity"] = capacity + "\n"
            facts[f"{folder}/cpufreq/scaling_governor"] = governor + "\n"
            facts[f"{folder}/cpufreq/cpuinfo_max_freq"] = f"{highest}\n"
            facts[f"{folder}/cpufreq/scaling_min_freq"] = f"{lowest}\n"
            facts[f"{folder}/cpufreq/scaling_max_freq"] = f"{highest}\n"
            cpu += 1
    return facts


_BCM = "Hardware\t: BCM2835\nRevision\t: {}\nSerial\t\t: 0000000000000000\nModel\t\t: {}"

BOARDS: dict[str, dict[str, str]] = {
    # Kernels of the Raspberry Pi call every one of them BCM2835.
    "Raspberry Pi 3B": _board(
        [(4, "0x41", "0xd03", "", 600_000, 1_200_000)], features=_V8, governor="ondemand",
        model="Raspberry Pi 3 Model B Rev 1.2", tail=_BCM.format("a02082", "Raspberry Pi 3 Model B Rev 1.2"),
    ),
    "Raspberry Pi 4B": _board(
        [(4, "0x41", "0xd08", "", 600_000, 1_800_000)], features=_V8, governor="ondemand",
        model="Raspberry Pi 4 Model B Rev 1.4", tail=_BCM.format("c03114", "Raspberry Pi 4 Model B Rev 1.4"),
    ),
    "Raspberry Pi 5": _board(
        [(4, "0x41", "0xd0b", "", 1_500_000, 2_400_000)], features=_V82, governor="ondemand",
        model="Raspberry Pi 5 Model B Rev 1.0",
    ),
    # Its kernel is read without a device tree here: the model stands in /proc/cpuinfo only.
    "Raspberry Pi Zero 2 W": _board(
        [(4, "0x41", "0xd03", "", 600_000, 1_000_000)], features=_V8, governor="ondemand",
        tail=_BCM.format("902120", "Raspberry Pi Zero 2 W Rev 1.0"),
    ),
    # The name of its model is a name of all ARMv8.
    "Jetson Nano": _board(
        [(4, "0x41", "0xd07", "", 102_000, 1_479_000)], features="fp asimd evtstrm aes pmull sha1 sha2 crc32",
        governor="schedutil", model="NVIDIA Jetson Nano Developer Kit", model_name="ARMv8 Processor rev 1 (v8l)",
    ),
    "Orange Pi 5": _board(
        [(4, "0x41", "0xd05", "397", 408_000, 1_800_000), (4, "0x41", "0xd0b", "1024", 408_000, 2_400_000)],
        features=_V82, governor="ondemand", model="Xunlong Orange Pi 5",
    ),
    # Its little cores have the higher clock, and this kernel tells no capacities.
    "Odroid N2": _board(
        [(2, "0x41", "0xd03", "", 100_000, 1_896_000), (4, "0x41", "0xd09", "", 100_000, 1_800_000)],
        features="fp asimd evtstrm aes pmull sha1 sha2 crc32", governor="performance", model="Hardkernel ODROID-N2",
    ),
    # Android shows no device tree to programs.
    "Pixel 6": _board(
        [(4, "0x41", "0xd05", "160", 300_000, 1_803_000), (2, "0x41", "0xd0b", "498", 400_000, 2_253_000),
         (2, "0x41", "0xd44", "1024", 500_000, 2_802_000)],
        features=_V82, governor="sched_pixel",
    ),
    "Galaxy S21": _board(
        [(4, "0x41", "0xd05", "", 300_000, 1_804_800), (3, "0x41", "0xd41", "", 710_400, 2_419_200),
         (1, "0x41", "0xd44", "", 844_800, 2_841_600)],
        features=_V82, governor="schedutil", tail="Hardware\t: Qualcomm Technologies, Inc SM8350",
    ),
    "BeagleBone Black": _board(
        [(1, "0x41", "0xc08", "", 300_000, 1_000_000)],
        features="half thumb fastmult vfp edsp thumbee neon vfpv3 tls vfpd32", governor="ondemand",
        model="TI AM335x BeagleBone Black", model_name="ARMv7 Processor rev 2 (v7l)",
        tail="Hardware\t: Generic AM33XX (Flattened Device Tree)",
    ),
}  # fmt: skip


def described(name: str, facts: dict[str, str] | None = None, *, given: str = "") -> DeviceInfo:
    """Describe a board as its own Python would; `facts` replace what it says, `given` is a name."""
    found = BOARDS[name] if facts is None else facts
    return described_device(
        machine="armv7l" if name == "BeagleBone Black" else "aarch64", facts=found, processor="aarch64",
        cores=4, name=given, affinity=measuring_cpus(clusters_of(found), None),
    )  # fmt: skip
