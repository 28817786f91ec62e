"""Tables as values: refusals by name, entries that are missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgenas.errors import InputError, TableError
from edgenas.latency import DeviceInfo, Entry, RuntimeInfo, local_device, predict
from tests.latency.examples import DEVICE, RUNTIME, network, table


def test_a_table_is_accepted_where_it_was_measured() -> None:
    table().require(device=replace(DEVICE, cores=64, memory_mib=1), runtime=RUNTIME)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "9.9"}, "version: '1.2.3' in the table, '9.9' here"),
        ({"precision": "int8", "scheme": "qdq_u8s8"}, "precision: 'fp32' in the table, 'int8' here"),
        ({"threads": 2}, "threads: 1 in the table, 2 here"),
        ({"mode": "cold"}, "mode: 'hot' in the table, 'cold' here"),
        ({"runtime": "litert"}, "runtime: 'ort' in the table, 'litert' here"),
    ],
)
def test_a_table_for_another_runtime_is_refused_by_name(change: dict[str, object], words: str) -> None:
    with pytest.raises(TableError, match=words):
        table().require(runtime=replace(RUNTIME, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (replace(DEVICE, cpu="Other CPU"), "cpu: 'Test CPU' in the table, 'Other CPU' here"),
        (replace(DEVICE, isa=("avx2",)), r"only in the table \['avx512f'\]"),
    ],
)
def test_a_table_for_another_device_is_refused_by_name(device: DeviceInfo, words: str) -> None:
    with pytest.raises(TableError, match=words):
        table().require(device=device)


def test_a_missing_entry_names_the_layer_and_the_unit() -> None:
    with pytest.raises(TableError, match=r"no entry for stages\.0\.0\.expand: pointwise s1 9x9x9 9x9x9"):
        table().entry("pointwise s1 9x9x9 9x9x9", where="stages.0.0.expand")


def test_entries_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        table().entries["x"] = Entry(ratio=1, error=0, networks=1)  # type: ignore[index]


@pytest.mark.parametrize("values", [(-1, 0, 1), (1, -1, 1), (1, 1, -1)])
def test_an_entry_holds_no_negative_numbers(values: tuple[int, int, int]) -> None:
    with pytest.raises(TableError):
        Entry(ratio=values[0], error=values[1], networks=values[2])


def test_a_table_without_entries_is_refused() -> None:
    with pytest.raises(TableError, match="without entries"):
        replace(table(), entries={})


@pytest.mark.parametrize("change", [{"threads": 0}, {"mode": "warm"}, {"precision": "fp8"}, {"runtime": "tvm"}])
def test_a_runtime_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(RUNTIME, **change)  # type: ignore[arg-type]


def test_at_another_clock_only_the_reference_changes() -> None:
    before, after = table(), table().at_clock(0.06)
    assert before.reference.latency_ms == 0.03 and after.entries == before.entries
    # Twice the time of the reference network is twice the time of every network, its interval and every layer.
    one, other = predict(before, network()), predict(after, network())
    for name in ("latency_ms", "low_ms", "high_ms", "overhead_ms"):
        assert getattr(other, name) == pytest.approx(2 * getattr(one, name), rel=1e-12)
    assert [layer.latency_ms for layer in other.layers] == pytest.approx([2 * layer.latency_ms for layer in one.layers])


def test_the_local_device_describes_itself() -> None:
    device = local_device()
    assert device.machine and device.cpu and device.cores >= 1
    assert device.slug.strip("-") == device.slug != ""
    assert isinstance(RUNTIME, RuntimeInfo) and RUNTIME.slug == "ort-fp32-t1-hot"
