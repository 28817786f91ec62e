"""Latency tables in Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import edgenas as en
from edgenas.errors import InputError, SpaceError, TableError


def test_a_table_is_kept_validated_and_checked(space: en.SearchSpace, tmp_path: Path) -> None:
    file = tmp_path / "tiny.json"
    built = en.measure_table(space, networks=8, out=file, force=True, progress=en.no_progress)
    assert en.load_table(file) == built and built.validation is None
    checked = en.validate_table(file, networks=4, space=space, force=True, progress=en.no_progress)
    assert checked.validation is not None and en.load_table(file) == checked
    again = en.validate_table(built, networks=4, force=True, progress=en.no_progress).validation
    assert again is not None and again.loops is not None and checked.validation.loops is not None
    # The same measurements, but for the moment at which they were taken.
    assert again.at >= checked.validation.at and again.loops.at >= checked.validation.loops.at
    loops = replace(again.loops, at=checked.validation.loops.at)
    assert replace(again, at=checked.validation.at, loops=loops) == checked.validation
    assert en.check_table(file).passed
    assert [entry.path for entry in en.list_tables([tmp_path]) if not entry.shipped] == [file]


def test_a_network_is_predicted_and_measured(space: en.SearchSpace, table: en.LatencyTable) -> None:
    largest = space.decode(space.largest())
    predicted = en.predict_latency(largest, table)
    assert predicted.low_ms < predicted.latency_ms < predicted.high_ms
    assert en.measure_latency(largest, progress=en.no_progress).latency_ms > 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"runtime": "orrt"}, InputError, "orrt"),
        ({"precision": "int4"}, en.EdgenasError, "int4"),
        ({"networks": 2}, InputError, "too few networks"),
        ({"space": "tinny"}, SpaceError, "did you mean 'tiny'"),
    ],
)
def test_bad_input_is_one_clear_error(
    space: en.SearchSpace, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        en.measure_table(**({"space": space, "force": True} | arguments), progress=en.no_progress)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_network_that_the_table_does_not_know_is_refused(table: en.LatencyTable) -> None:
    with pytest.raises(TableError, match="has no entry"):
        en.predict_latency("mobilenet_v2", table)
    with pytest.raises(InputError):
        en.predict_latency("mobilenet_v2", "none.json")
