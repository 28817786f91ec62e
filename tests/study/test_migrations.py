"""A store of an earlier version is brought to this one, once, with all that it holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edgenas.study import Context, Evaluation, Failure, Metric, open_store
from edgenas.study.document import encode_outcome
from edgenas.study.schema import MIGRATIONS, SCHEMA, VERSION, row_digest
from tests.study.test_store_processes import together

CONTEXT = Context(evaluator="e", device="phone")
PUT = {
    f"{number:04d}": Failure(reason="r") if number % 3 else Evaluation(
        digest=f"d{number}", genes=(number,), metrics=(("accuracy", Metric(value=number / 2000)),)
    )
    for number in range(1203)
}  # fmt: skip


def first_version(path: Path, *, versioned: bool = True) -> Path:
    """A store as the first version of edgenas wrote it; earlier ones named no version."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE outcomes (\"key\" VARCHAR(64) NOT NULL, architecture VARCHAR(80), "
                     "context TEXT NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (\"key\"))")  # fmt: skip
        file.execute("CREATE INDEX ix_outcomes_architecture ON outcomes (architecture)")
        if versioned:
            file.execute("CREATE TABLE edgenas_store (version INTEGER NOT NULL, PRIMARY KEY (version))")
            file.execute("INSERT INTO edgenas_store VALUES (1)")
        rows = [(key, outcome.digest, CONTEXT.text(), encode_outcome(outcome)) for key, outcome in PUT.items()]
        file.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?)", rows)
    return path


def contents(path: Path) -> tuple[list[tuple[object, ...]], list[str]]:
    with closing(sqlite3.connect(path)) as file:
        shape = [(name, kind.upper(), bool(needed)) for _, name, kind, needed, *_ in
                 file.execute("PRAGMA table_info(outcomes)")]  # fmt: skip
        return shape, sorted(name for (name,) in file.execute("SELECT name FROM sqlite_master"))


@pytest.mark.parametrize("versioned", [True, False])
def test_an_old_store_keeps_all_and_is_then_like_a_new_one(tmp_path, versioned: bool) -> None:
    path = first_version(tmp_path / "old", versioned=versioned)
    store = open_store(path)
    assert store.get_many(PUT) == PUT and len(store) == len(PUT)
    store.close()
    open_store(tmp_path / "new").close()
    assert contents(path) == contents(tmp_path / "new")
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT version FROM edgenas_store").fetchall() == [(VERSION,)]
        for key, context, outcome, digest in file.execute("SELECT key, context, outcome, digest FROM outcomes"):
            assert digest == row_digest(key, context, outcome)


def test_eight_processes_bring_an_old_store_forward_once_and_lose_nothing(tmp_path) -> None:
    path = first_version(tmp_path / "old")
    assert together(str(path), count=1, keys="own") == [""] * 8
    assert len(open_store(path)) == len(PUT) + 8 * 40
    assert open_store(path).get_many(PUT) == PUT


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path, monkeypatch) -> None:
    path = first_version(tmp_path / "old")
    before = contents(path)

    def fails(operations) -> None:
        MIGRATIONS_2(operations)
        raise KeyboardInterrupt

    MIGRATIONS_2 = MIGRATIONS[2]
    monkeypatch.setitem(MIGRATIONS, 2, fails)
    with pytest.raises(KeyboardInterrupt):
        open_store(path)
    assert contents(path) == before
    monkeypatch.setitem(MIGRATIONS, 2, MIGRATIONS_2)
    assert open_store(path).get_many(PUT) == PUT


def test_every_version_after_the_first_has_its_migration() -> None:
    assert sorted(MIGRATIONS) == list(range(2, VERSION + 1))
    assert [table.name for table in SCHEMA.sorted_tables] == ["outcomes"]
