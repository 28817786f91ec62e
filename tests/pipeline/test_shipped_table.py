"""A shipped table that does not hold here: the reasons are printed, and none is taken."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import edgenas.latency
import edgenas.measure
from edgenas.measure.table.validate import Check
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.stages.latency_table import _shipped
from tests.latency.examples import table


@pytest.mark.parametrize(
    "changes",
    [
        {"differences": ("cpu: 'a' in the table, 'b' here",), "doubts": ()},
        {"differences": (), "doubts": ("one probe is 9 % off", "the clock is 3 times slower")},
    ],
)
def test_the_reasons_why_a_shipped_table_does_not_hold_are_printed(
    changes: dict[str, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, said = table(), []
    info = shipped.runtime
    found = Check(reference_ms=1.0, reference_drift=0.0, probe_changes=(), **changes)  # type: ignore[arg-type]
    listed = SimpleNamespace(table=shipped, path=Path("some-device/tiny.json"))
    monkeypatch.setattr(edgenas.latency, "list_tables", lambda: [listed])
    monkeypatch.setattr(edgenas.measure, "check_table", lambda one: found)
    monkeypatch.setattr(artifacts, "space", lambda context: SimpleNamespace(digest=shipped.build.space_digest))
    target = SimpleNamespace(runtime=info.runtime, precision=info.precision, threads=info.threads)
    context = SimpleNamespace(settings=SimpleNamespace(target=target), say=said.append)
    assert _shipped(context) is None  # type: ignore[arg-type]
    assert said[0] == "  the shipped table some-device/tiny.json does not hold here:"
    assert [line.strip() for line in said[1:]] == [*changes["differences"], *changes["doubts"]]
