"""A table of another target is refused by every command that takes one, and before anything is trained."""

from dataclasses import replace
from pathlib import Path

import pytest

import edgenas as en
from edgenas.errors import TableError
from edgenas.latency import read_table, write_table
from tests.pipeline.test_run_safety import run

WRONG = {
    "runtime": ({"runtime": "litert"}, "another target; got litert fp32 with 1 thread"),
    "precision": ({"precision": "int8"}, "another target; got ort int8 with 1 thread"),
    "threads": ({"threads": 4}, "another target; got ort fp32 with 4 thread"),
    "mode": ({"mode": "cold"}, "another mode; got cold"),
    "version": ({"version": "0.0.1"}, "version: '0.0.1' in the table"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run(folder)
    return folder / "quickstart"


def _wrong(finished: Path, folder: Path, kind: str) -> str:
    table = read_table(finished / "latency" / "table.json")
    path = folder / "wrong.json"
    write_table(replace(table, runtime=replace(table.runtime, **WRONG[kind][0])), path)
    return str(path)


@pytest.mark.parametrize("kind", WRONG)
def test_a_run_refuses_it(finished, tmp_path, kind: str) -> None:
    with pytest.raises(TableError, match=WRONG[kind][1]):
        run(tmp_path, f"latency.table={_wrong(finished, tmp_path, kind)}")
    assert not (tmp_path / "quickstart" / "supernet").exists()


@pytest.mark.parametrize("kind", WRONG)
def test_specialise_refuses_it(finished, tmp_path, kind: str) -> None:
    with pytest.raises(TableError, match=WRONG[kind][1]):
        en.specialise(
            finished, budget_share=0.9, table=_wrong(finished, tmp_path, kind), runtime="ort", precision="fp32",
            folder=tmp_path / "out", say=print,
        )  # fmt: skip
    assert not (tmp_path / "out" / "export").exists()


@pytest.mark.parametrize("kind", WRONG)
def test_refine_refuses_it(finished, tmp_path, kind: str) -> None:
    with pytest.raises(TableError, match=WRONG[kind][1]):
        en.refine(finished, to_share=0.9, table=_wrong(finished, tmp_path, kind), folder=tmp_path / "out", say=print)


def test_refine_to_another_target_leaves_the_tables_of_the_run_alone(finished, tmp_path, monkeypatch) -> None:
    seen, said = [], []
    monkeypatch.setattr(
        "edgenas.pipeline.commands.refine.walk.refine", lambda context, source, plan, *, table: seen.append(table)
    )
    for overrides in ({}, {"target.runtime": "litert"}, {"target.precision": "int8"}, {"target.threads": 2}):
        en.refine(finished, to_share=0.9, overrides=overrides, folder=tmp_path / "out", say=said.append)
    assert [table is not None for table in seen] == [True, False, False, False]
    assert sum("every proposal is measured" in line for line in said) == 3


def test_a_table_of_another_space_is_refused_before_anything_is_trained(finished, tmp_path) -> None:
    with pytest.raises(TableError, match="another space"):
        run(tmp_path, f"latency.table={finished / 'latency' / 'table.json'}", "space.name=mobilenet_v2")
    assert not (tmp_path / "quickstart" / "supernet").exists()
