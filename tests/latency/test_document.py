"""Tables as files: round trips, and every way a file can be broken."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from edgenas.errors import InputError, TableError
from edgenas.latency import Loops, Settling, Validation, predict, read_table, table_digest, write_table
from edgenas.latency.document import dumps, loads
from edgenas.latency.plausible import require_plausible
from edgenas.resources import find_resource
from tests.latency.examples import network, table

VALIDATION = Validation(
    networks=2, seed=0, mape_percent=1.5, median_percent=1.5, worst_percent=2.0, within_5_percent=100.0,
    within_10_percent=100.0, kendall_tau=1.0, interval_coverage_percent=100.0, reference_drift_percent=-0.1,
    date="2026-01-02", predicted_ms=(1.0, 2.0), measured_ms=(1.01, 1.98),
)  # fmt: skip


@pytest.mark.parametrize("example", [table(), table().validated(VALIDATION)])
def test_a_table_reads_back_as_it_was_written(example, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = write_table(example, tmp_path / "deep" / "table.json")
    assert read_table(path) == example
    assert table_digest(read_table(path)) == table_digest(example)
    assert [entry.name for entry in path.parent.iterdir()] == ["table.json"]


def test_writing_twice_gives_the_same_bytes() -> None:
    assert dumps(loads(dumps(table()))) == dumps(table())


def test_one_entry_is_one_line() -> None:
    lines = dumps(table()).splitlines()
    assert all(sum(f'"{key}"' in line for line in lines) == 1 for key in table().entries)


def test_a_written_table_obeys_the_schema() -> None:
    path = find_resource("latency_tables", "schema.json")
    assert path is not None
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(dumps(table())), schema)
    jsonschema.validate(json.loads(dumps(table().validated(VALIDATION))), schema)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_table_is_refused(share: float) -> None:
    text = dumps(table())
    with pytest.raises(TableError, match="truncated"):
        loads(text[: int(len(text) * share)])


@pytest.mark.parametrize(
    ("old", "new"),
    [('"latency_ms": 0.03', '"latency_ms": 0.01'), ('"networks": 24', '"networks": 25'), ("relu\": [", "relu\": [1")],
)
def test_an_edited_table_is_refused(old: str, new: str) -> None:
    text = dumps(table())
    assert old in text
    with pytest.raises(TableError, match="edited or damaged"):
        loads(text.replace(old, new, 1))


def test_a_table_without_an_entry_is_refused() -> None:
    lines = dumps(table()).splitlines()
    entry = next(index for index, line in enumerate(lines) if "depthwise" in line)
    with pytest.raises(TableError, match="edited or damaged"):
        loads("\n".join(lines[:entry] + lines[entry + 1 :]))


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "other"}', "3"])
def test_another_document_is_refused(text: str) -> None:
    with pytest.raises(TableError, match="not a latency table"):
        loads(text)


def test_another_version_is_refused() -> None:
    with pytest.raises(TableError, match=r"another version; got 3; allowed: .?1, 2"):
        loads(dumps(table()).replace('"version": 2,', '"version": 3,', 1))


def test_a_table_of_version_1_is_read_keeps_its_digest_and_says_what_is_wrong_with_it() -> None:
    old = loads(dumps(table()).replace('"version": 2,', '"version": 1,', 1))
    assert old == table() and table_digest(old) == table_digest(table())
    assert old.reference.at == "" and old.build.floor_ms is None and old.is_lukewarm
    (fault,) = old.faults
    assert "had not settled" in fault


FULL = replace(
    table(),
    build=replace(
        table().build, begun="2026-01-01T10:00:00+00:00", ended="2026-01-01T10:01:00+00:00", floor_ms=0.004,
        settling=(Settling(network="small", latency_ms=0.02, samples=5, inner=20, first_percent=21.5),),
    ),
    reference=replace(table().reference, at="2026-01-01T10:01:00+00:00", error=0.002),
).validated(
    replace(
        VALIDATION, at="2026-01-01T11:00:00+00:00",
        loops=Loops(
            networks=2, processes=3, runs=60, bias_percent=2.0, bias_error_percent=0.5, mape_percent=2.1,
            coverage_percent=50.0, protocol_percent=1.9, predicted_ms=(0.02, 0.03), loop_ms=(0.019, 0.029),
            at="2026-01-01T11:00:00+00:00",
        ),
    )
)  # fmt: skip


def test_moments_floor_settling_bias_and_loops_are_kept_and_obey_the_schema() -> None:
    path = find_resource("latency_tables", "schema.json")
    assert path is not None
    again = loads(dumps(FULL))
    assert again == FULL and dumps(again) == dumps(FULL)
    jsonschema.validate(json.loads(dumps(FULL)), json.loads(path.read_text()))
    assert again.interval.left_out == 0.03 < again.interval.relative and again.interval.bias == 0.02
    assert not again.faults


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("reference", {"at": "yesterday"}), ("reference", {"at": "2026-01-01T10:00:00"}),
        ("reference", {"error": -0.1}),
        ("reference", {"error": float("nan")}), ("build", {"floor_ms": 0.0}), ("build", {"ended": "24:00"}),
        ("build", {"settling": (replace(FULL.build.settling[0], samples=-1),)}),
        ("interval", {"bias": float("inf")}),
    ],
)  # fmt: skip
def test_what_cannot_be_of_a_moment_a_floor_or_a_bias_is_refused(part: str, change: dict[str, object]) -> None:
    wrong = replace(FULL, **{part: replace(getattr(FULL, part), **change)})
    with pytest.raises(TableError, match=f"{part}.*(cannot be|is no moment)"):
        require_plausible(wrong, source="the table")


@pytest.mark.parametrize("change", [{"networks": 3}, {"bias_percent": float("nan")}, {"loop_ms": (0.0, 1.0)}])
def test_loops_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    assert FULL.validation is not None and FULL.validation.loops is not None
    loops = replace(FULL.validation.loops, **change)  # type: ignore[arg-type]
    wrong = replace(FULL, validation=replace(FULL.validation, loops=loops))
    with pytest.raises(TableError, match="validation.loops"):
        require_plausible(wrong, source="the table")


def _with(path: str, value: object) -> str:
    """A validated table with another value at a place, and the digest of its new content."""
    document = json.loads(dumps(table().validated(VALIDATION)))
    *above, last = path.split("/")
    part = document
    for key in above:
        part = part[int(key)] if isinstance(part, list) else part[key]
    if value is KeyError:
        del part[last]
    else:
        part[last] = value
    content = {name: inner for name, inner in document.items() if name not in ("format", "version", "digest")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**document, "digest": hashlib.sha256(text.encode()).hexdigest()})


def test_a_changed_table_with_its_new_digest_is_a_table() -> None:
    assert loads(_with("interval/relative", 0.04)).interval.relative == 0.04


def test_numbers_of_the_correction_that_older_tables_never_used_are_read_past() -> None:
    old = _with("correction", {"scale": 1.0, "per_unit": 0.001, "per_weight": 0.0, "constant": 0.02})
    assert loads(old).correction == table().correction
    assert predict(loads(old), network()) == predict(table(), network())


WRONG = [
    ("interval/relative", float("nan")), ("interval/relative", -0.03), ("interval/relative", 1e400),
    ("interval/relative", True), ("interval/level", 1.0), ("interval/level", 0), ("interval/networks", 0),
    ("interval/visit_noise", -1), ("entries", {"a": [0, 0, 1], "b": [0, 5, 1]}), ("entries", {}),
    ("entries", {"a": [1, 2]}), ("entries", {"a": [1, 2, 3.0]}), ("entries", {"a": [1, True, 3]}),
    ("entries", {"a": [10**16, 0, 1]}), ("entries", {"a": [-1, 0, 1]}), ("entries", []), ("validation", KeyError),
    ("validation", {}), ("validation", False), ("validation/mape_percent", KeyError), ("validation/mape_percent", -1.5),
    ("validation/within_5_percent", 101), ("validation/kendall_tau", 1.5), ("validation/networks", 3),
    ("validation/predicted_ms", [1.0, -2.0]), ("validation/predicted_ms", [1.0, "2"]),
    ("validation/measured_ms", [1.0]),
    ("validation/worst_percent", 0.1), ("reference/latency_ms", 0), ("reference/latency_ms", -1),
    ("reference/latency_ms", 1e300), ("reference/digest", "x"), ("reference/spread", -0.1), ("probes", {}),
    ("probes/0/ratio", 0), ("probes/0/ratio", float("inf")), ("correction/scale", 0), ("correction/scale", True),
    ("correction/scale", "1"), ("correction/per_weight", 1e-7), ("correction/per_weight", None),
    ("correction/per_unit", 1e999),
    ("runtime/threads", 0), ("runtime/threads", 1.0), ("runtime/mode", "warm"), ("device/cores", "2"),
    ("device/isa", "avx2"), ("device/isa", [1]), ("build/seconds", -1), ("build/networks", 24.0), ("build/seed", -1),
    ("build/warnings", "none"), ("extra", 1), ("device/extra", 1),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), WRONG, ids=[f"{path}={value}"[:50] for path, value in WRONG])
def test_a_wrong_value_is_refused_though_its_digest_is_right(path: str, value: object) -> None:
    with pytest.raises((TableError, InputError)) as caught:
        loads(_with(path, value), source="t.json")
    assert str(caught.value).startswith("t.json") and "digest does not match" not in str(caught.value)


@pytest.mark.parametrize("part", ["relative", "visit_noise"])
def test_a_table_with_a_number_that_is_not_finite_is_not_written(part: str, tmp_path: Path) -> None:
    broken = replace(table(), interval=replace(table().interval, **{part: float("nan")}))
    with pytest.raises(TableError, match=f"interval.{part} cannot be; got nan"):
        write_table(broken, tmp_path / "table.json")
    assert not list(tmp_path.iterdir())


def test_every_shipped_table_still_loads() -> None:
    from edgenas.resources import resource_files

    tables = [path for path in resource_files("latency_tables", "*.json") if path.name != "schema.json"]
    assert len(tables) >= 8
    for path in tables:
        assert read_table(path).validation is not None


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no latency table"):
        read_table(tmp_path / "none.json")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(TableError, match="cannot read"):
        read_table(path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="cannot write"):
        write_table(table(), tmp_path / "file" / "table.json")


def test_a_table_of_an_older_version_without_the_newer_fields_still_loads(tmp_path: Path) -> None:
    path = write_table(table().validated(VALIDATION), tmp_path / "table.json")
    document = json.loads(path.read_text())
    for part, name in (("build", "warnings"), ("validation", "visits"), ("validation", "measured_error_percent")):
        del document[part][name]
    content = {name: value for name, value in document.items() if name not in ("format", "version", "digest")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    document["digest"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(document))
    found = read_table(path)
    assert found.build.warnings == () and found.validation is not None and found.validation.visits == 0.0


def test_warnings_are_kept_with_the_table(tmp_path: Path) -> None:
    said = replace(table(), build=replace(table().build, warnings=("the machine was busy",)))
    assert read_table(write_table(said, tmp_path / "table.json")).build.warnings == ("the machine was busy",)
