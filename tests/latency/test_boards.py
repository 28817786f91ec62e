"""Boards are told apart by what their systems say, and unknown ones are refused."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from edgenas.errors import DeviceError, TableError
from edgenas.latency import local_device, read_table, write_table
from edgenas.latency.device import require_known
from edgenas.latency.processors import clusters_of, measuring_cpus
from edgenas.resources import find_resource
from tests.latency.boards import BOARDS, described
from tests.latency.examples import DEVICE, table

CORES = {
    "Raspberry Pi 3B": [("Cortex-A53", 4)],
    "Raspberry Pi 4B": [("Cortex-A72", 4)],
    "Raspberry Pi 5": [("Cortex-A76", 4)],
    "Raspberry Pi Zero 2 W": [("Cortex-A53", 4)],
    "Jetson Nano": [("Cortex-A57", 4)],
    "Orange Pi 5": [("Cortex-A76", 4), ("Cortex-A55", 4)],
    "Odroid N2": [("Cortex-A73", 4), ("Cortex-A53", 2)],
    "Pixel 6": [("Cortex-X1", 2), ("Cortex-A76", 2), ("Cortex-A55", 4)],
    "Galaxy S21": [("Cortex-X1", 1), ("Cortex-A78", 3), ("Cortex-A55", 4)],
    "BeagleBone Black": [("Cortex-A8", 1)],
}
BIG = {"Orange Pi 5": (4, 5, 6, 7), "Odroid N2": (2, 3, 4, 5), "Pixel 6": (6, 7), "Galaxy S21": (7,)}


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_says_its_cores_big_ones_first(name: str) -> None:
    device = described(name)
    assert [(cluster.core, len(cluster.cpus)) for cluster in device.clusters] == CORES[name]
    assert device.cpu == " + ".join(core for core, _ in CORES[name])
    assert device.affinity == BIG.get(name, ())
    assert device.isa and all(cluster.governor and cluster.max_mhz for cluster in device.clusters)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(BOARDS, 2)))
def test_no_board_takes_the_table_of_another(one: str, other: str) -> None:
    assert described(one) != described(other) and described(one).slug != described(other).slug
    with pytest.raises(TableError, match="another target"):
        replace(table(), device=described(one)).require(device=described(other))


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_takes_its_own_table_from_a_file(name: str, tmp_path: Path) -> None:
    written = replace(table(), device=described(name))
    path = write_table(written, tmp_path / "table.json")
    read_table(path).require(device=described(name))
    assert read_table(path).device == described(name)
    schema = find_resource("latency_tables", "schema.json")
    assert schema is not None
    jsonschema.validate(json.loads(path.read_text()), json.loads(schema.read_text()))


def test_another_revision_of_a_board_takes_its_table() -> None:
    facts = {path: text.replace("Rev 1.4", "Rev 1.5") for path, text in BOARDS["Raspberry Pi 4B"].items()}
    other = described("Raspberry Pi 4B", facts)
    assert other.model != described("Raspberry Pi 4B").model
    assert described("Raspberry Pi 4B").differences(other) == ()


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("scaling_governor", "powersave", "governor of Cortex-A72: 'ondemand' in the table, 'powersave' here"),
        ("scaling_max_freq", "600000", r"limits_mhz of Cortex-A72: \(600, 1800\) in the table, \(600, 600\) here"),
        ("cpuinfo_max_freq", "1500000", "max_mhz of Cortex-A72: 1800 in the table, 1500 here"),
    ],
)
def test_another_governor_or_limit_is_named(file: str, text: str, words: str) -> None:
    facts = {path: text if path.endswith(file) else old for path, old in BOARDS["Raspberry Pi 4B"].items()}
    with pytest.raises(TableError, match=words):
        replace(table(), device=described("Raspberry Pi 4B")).require(device=described("Raspberry Pi 4B", facts))


def test_what_one_system_does_not_tell_is_no_difference() -> None:
    facts = {path: text for path, text in BOARDS["Orange Pi 5"].items() if "cpufreq" not in path}
    assert described("Orange Pi 5").differences(described("Orange Pi 5", facts)) == ()


def test_an_unknown_processor_is_refused_and_can_be_given_a_name() -> None:
    nameless = described("Raspberry Pi 3B", {"/proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 38.40\n"})
    assert not nameless.is_known
    with pytest.raises(DeviceError, match="does not say which processor.*--device-name"):
        require_known(nameless, remedy="Give it a name with --device-name.")
    with pytest.raises(TableError, match="not known, neither in the table nor here"):
        replace(table(), device=nameless).require(device=nameless)
    named = described("Raspberry Pi 3B", {"/proc/cpuinfo": ""}, given="my board")
    require_known(named, remedy="")
    assert named.cpu == "my board" and named.differences(named) == ()


def test_a_name_of_a_known_processor_is_the_name_of_its_board() -> None:
    device = described("Galaxy S21", given="phone 7")
    assert device.model == "phone 7" and device.cpu == described("Galaxy S21").cpu
    assert described("Galaxy S21").differences(device)


def test_a_core_without_a_name_keeps_its_numbers() -> None:
    text = (
        "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xfff\n"
        "processor\t: 1\nCPU implementer\t: 0x99\nCPU part\t: 0x1\n"
    )
    assert [cluster.core for cluster in clusters_of({"/proc/cpuinfo": text})] == [
        "Arm part 0xfff",
        "implementer 0x99 part 0x001",
    ]


def test_an_old_kernel_that_names_the_part_once_means_all_cores() -> None:
    text = (
        "Processor\t: ARMv7 Processor rev 10 (v7l)\nprocessor\t: 0\nBogoMIPS\t: 1\n\nprocessor\t: 1\nBogoMIPS\t: 1\n\n"
        "Features\t: neon\nCPU implementer\t: 0x41\nCPU part\t: 0xc09\n"
    )
    (cluster,) = clusters_of({"/proc/cpuinfo": text})
    assert cluster.core == "Cortex-A9" and cluster.cpus == (0, 1)


NOTHING = ["", "processor\n:::\n", "CPU implementer : x\nCPU part : 0xzz\nprocessor : ²\n", "\0" * 50]


@pytest.mark.parametrize("text", NOTHING)
def test_a_text_that_says_nothing_is_no_error(text: str) -> None:
    assert clusters_of({"/proc/cpuinfo": text}) == ()


def test_only_processors_that_may_be_used_are_measured() -> None:
    clusters = clusters_of(BOARDS["Pixel 6"])
    assert measuring_cpus(clusters, (0, 1, 4, 7)) == (7,)
    assert measuring_cpus(clusters, (0, 1, 4)) == (4,)
    assert measuring_cpus(clusters_of(BOARDS["Raspberry Pi 5"]), None) == ()


def test_a_processor_without_part_numbers_is_described_as_before() -> None:
    assert set(DEVICE.plain()) == {"machine", "cpu", "isa", "cores", "memory_mib"}
    assert DEVICE.slug == "x86-64-avx512-test-cpu"


def test_this_machine_can_be_given_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGENAS_DEVICE_NAME", "rack 3")
    assert local_device().differences(replace(local_device(), model="rack 4"))


@pytest.mark.parametrize("change", [{"capacity": -1}, {"max_mhz": 10**9}, {"cpus": (-1,)}])
def test_a_cluster_that_cannot_be_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    device = described("Pixel 6")
    wrong = replace(device, clusters=(replace(device.clusters[0], **change),))  # type: ignore[arg-type]
    with pytest.raises(TableError, match=r"device.clusters\[0\]"):
        write_table(replace(table(), device=wrong), tmp_path / "table.json")
