"""Every shipped table loads, obeys the schema, covers its space, and carries its own error."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from edgenas.latency import SpaceLatency, list_tables, read_table, shipped_name
from edgenas.resources import find_resource, resource_folder
from edgenas.space import load

FOLDER = resource_folder("latency_tables")
assert FOLDER is not None
PATHS = sorted(path for path in FOLDER.rglob("*.json") if path.name != "schema.json")
EXPECTED = {
    f"{space}-{runtime}-{precision}-t1-hot.json"
    for space in ("tiny", "ofa_mobilenet_v3")
    for runtime in ("ort", "litert")
    for precision in ("fp32", "int8")
}


def test_the_promised_tables_are_there() -> None:
    assert EXPECTED <= {path.name for path in PATHS}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_shipped_table_is_whole_and_lies_where_its_header_says(path: Path) -> None:
    table = read_table(path)
    schema = find_resource("latency_tables", "schema.json")
    assert schema is not None and FOLDER is not None
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), json.loads(schema.read_text()))
    assert path.relative_to(FOLDER).as_posix() == shipped_name(table)
    assert path.stat().st_size < 2**20


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_shipped_table_predicts_every_member_of_its_space(path: Path) -> None:
    table = read_table(path)
    space = load(table.build.space)
    assert table.build.space_digest == space.digest
    found = SpaceLatency(table, space).predict(space.sample(1000, np.random.default_rng(0)))
    assert (found.latency_ms > 0).all() and (found.low_ms < found.high_ms).all()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_validation_inside_follows_from_its_own_networks(path: Path) -> None:
    checked = read_table(path).validation
    assert checked is not None and checked.networks == len(checked.predicted_ms) == len(checked.measured_ms) >= 20
    error = np.abs(np.array(checked.predicted_ms) / np.array(checked.measured_ms) - 1)
    assert 100 * error.mean() == pytest.approx(checked.mape_percent, abs=0.02)
    assert 100 * (error <= 0.05).mean() == pytest.approx(checked.within_5_percent, abs=0.01)


def test_the_list_shows_them_and_says_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"format": "edgenas-latency-table", "version": 1')
    found = list_tables([tmp_path])
    assert {entry.path.name for entry in found if entry.shipped} == {path.name for path in PATHS}
    (mine,) = [entry for entry in found if not entry.shipped]
    assert mine.table is None and "truncated" in mine.problem
