"""The database behind a store: its modes, its version, its locks, and what counts as broken."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Index, Integer, MetaData, Table, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError

from edgenas.study import database

SCHEMA = MetaData()
ROWS = Table("rows", SCHEMA, Column("key", Integer, primary_key=True), Column("value", Integer))
Index("by_value", ROWS.c.value)


def engine_of(path: Path) -> Engine:
    return database.connect(path)[1]


def test_a_new_database_writes_ahead_waits_for_locks_and_syncs_as_often_as_that_needs(tmp_path: Path) -> None:
    with engine_of(tmp_path / "a.sqlite").connect() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in
                 ("journal_mode", "busy_timeout", "synchronous")]  # fmt: skip
    assert found == ["wal", 30_000, 1]


def test_tables_and_indices_are_made_once_and_the_latest_version_counts(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "a.sqlite")
    assert database.prepare(engine, SCHEMA, version=2) == 2
    names = inspect(engine)
    assert set(names.get_table_names()) == {"rows", "edgenas_store"}
    assert [index["name"] for index in names.get_indexes("rows")] == ["by_value"]
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO edgenas_store VALUES (5), (1)"))
    assert database.prepare(engine, SCHEMA, version=2) == 5


def test_a_table_of_a_later_schema_is_added_to_an_older_database(tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "a.sqlite")
    database.prepare(engine, MetaData(), version=1)
    assert database.prepare(engine, SCHEMA, version=2) == 1
    assert "rows" in inspect(engine).get_table_names()


def exclusive(path: Path) -> sqlite3.Connection:
    """A connection that holds the lock which switching to write-ahead mode needs."""
    held = sqlite3.connect(path, check_same_thread=False)
    held.execute("CREATE TABLE IF NOT EXISTS other (x)")
    held.commit()
    held.execute("BEGIN EXCLUSIVE")
    return held


def test_a_database_that_is_locked_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    held = exclusive(tmp_path / "a.sqlite")
    free = threading.Timer(0.3, held.rollback)
    free.start()
    assert database.prepare(engine_of(tmp_path / "a.sqlite"), SCHEMA, version=2) == 2
    free.join()


def test_preparing_is_tried_again_while_the_database_is_locked_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["database is locked", "database is locked", None, "no such column"])
    slept: list[float] = []

    def prepare(*_: object) -> int:
        words = next(said)
        if words is not None:
            raise OperationalError("CREATE", None, sqlite3.OperationalError(words))
        return 7

    monkeypatch.setattr(database, "_prepare", prepare)
    monkeypatch.setattr(database.time, "sleep", slept.append)
    assert database.prepare(None, SCHEMA, version=2) == 7  # type: ignore[arg-type]
    assert slept == [0.02, 0.02]
    with pytest.raises(OperationalError, match="no such column"):
        database.prepare(None, SCHEMA, version=2)  # type: ignore[arg-type]


def test_a_database_that_stays_locked_is_an_error_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 200)
    held = exclusive(tmp_path / "a.sqlite")
    started = time.monotonic()
    with pytest.raises(OperationalError, match="locked"):
        database.prepare(engine_of(tmp_path / "a.sqlite"), SCHEMA, version=2)
    assert 0.15 < time.monotonic() - started < 20
    held.rollback()


def filled(path: Path) -> Path:
    engine = engine_of(path)
    database.prepare(engine, SCHEMA, version=2)
    with engine.begin() as connection:
        database.upsert(connection, ROWS, [{"key": key, "value": key} for key in range(2000)])
    engine.dispose()
    return path


@pytest.mark.parametrize("most", [2**28, 0])
def test_what_is_broken_was_a_database_once(tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_CHECKED_BYTES", most)
    good = filled(tmp_path / "good.sqlite")
    assert database.is_broken_store(good, engine_of(good)) is False
    for name, content in (("empty", b""), ("words", b"these are words, and no database at all")):
        path = tmp_path / name
        path.write_bytes(content)
        assert database.is_broken_store(path, engine_of(path)) is False
    absent = tmp_path / "absent.sqlite"
    assert database.is_broken_store(absent, engine_of(absent)) is False
    for length in (10, 50, 500):
        short = tmp_path / f"short{length}.sqlite"
        short.write_bytes(good.read_bytes()[:length])
        assert database.is_broken_store(short, engine_of(short)) is True


def test_a_page_of_zeros_in_the_middle_is_found_where_the_file_is_checked_completely(tmp_path: Path) -> None:
    good = filled(tmp_path / "good.sqlite")
    content = bytearray(good.read_bytes())
    content[8192:12_288] = bytes(4096)
    bad = tmp_path / "bad.sqlite"
    bad.write_bytes(content)
    assert database.is_broken_store(bad, engine_of(bad)) is True


@pytest.mark.parametrize(
    ("words", "broken"),
    [("database disk image is malformed", True), ("file is not a database", True), ("disk I/O error", True),
     ("database is locked", False), ("no such table: rows", False)],
)  # fmt: skip
def test_only_damage_counts_as_broken(
    tmp_path: Path, words: str, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = filled(tmp_path / "good.sqlite")
    engine = engine_of(good)

    def fails() -> None:
        raise DatabaseError("SELECT 1", None, sqlite3.DatabaseError(words))

    monkeypatch.setattr(engine, "connect", fails)
    assert database.is_broken_store(good, engine) is broken


@pytest.mark.parametrize(
    ("name", "broken"), [("SQLITE_IOERR_SHORT_READ", True), ("SQLITE_IOERR_SHMSIZE", False), ("SQLITE_FULL", False)]
)
def test_a_full_disk_is_no_damage(tmp_path: Path, name: str, broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    good = filled(tmp_path / "good.sqlite")
    engine = engine_of(good)

    def fails() -> None:
        cause = sqlite3.OperationalError("disk I/O error")
        cause.sqlite_errorname = name  # type: ignore[attr-defined]
        raise OperationalError("SELECT 1", None, cause)

    monkeypatch.setattr(engine, "connect", fails)
    assert database.is_broken_store(good, engine) is broken


def test_a_row_is_replaced_and_a_row_of_keys_alone_stays(tmp_path: Path) -> None:
    engine = engine_of(filled(tmp_path / "a.sqlite"))
    with engine.begin() as connection:
        database.upsert(connection, ROWS, [{"key": 1, "value": 77}, {"key": 5000, "value": 78}])
        found = dict(connection.execute(text("SELECT key, value FROM rows WHERE key IN (1, 2, 5000)")).all())
    assert found == {1: 77, 2: 2, 5000: 78}
    assert database.prepare(engine, SCHEMA, version=2) == 2


@pytest.mark.parametrize(("place", "file"), [
    ("a.sqlite", "a.sqlite"), ("sqlite:///a.sqlite", "a.sqlite"), ("sqlite://", None),
    ("sqlite:///:memory:", None), ("sqlite:///file:a.sqlite?mode=ro&uri=true", None),
])  # fmt: skip
def test_a_place_has_a_file_where_it_is_one(place: str, file: str | None) -> None:
    name, _, found = database.connect(place)
    assert name == place
    assert found == (None if file is None else Path(file))
