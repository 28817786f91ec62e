"""Databases for the store: many processes may open and write one at the same time, and one of them makes its tables."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from edgenas.errors import StoreError, explain
from edgenas.text import without_password

if TYPE_CHECKING:
    from alembic.operations import Operations

Migrations: TypeAlias = "Mapping[int, Callable[[Operations], None]]"
"""By version: what brings the version before to it, in the transaction that it is given."""

_MAGIC = b"SQLite format 3\0"
_BUSY_MS = 30_000
_CHECKED_BYTES = 256 * 2**20
"""A larger file is not checked completely when it is opened."""
# Any number works, as long as every version of edgenas takes the same.
_ADVISORY_LOCK = 0x6564_6765
_ABOUT = Table("edgenas_store", MetaData(), Column("version", Integer, primary_key=True, autoincrement=False))


def address(place: str) -> str:
    """Return a store's place as files of a run name it: a URL without its password.

    PostgreSQL's client takes the password from the environment variable PGPASSWORD or from `~/.pgpass`.
    """
    if "://" not in place:
        return place
    return re.sub(r"([?&])password=[^&\s]*&?", r"\1", re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1@", place)).rstrip("?&")


def connect(place: str | Path) -> tuple[str, Engine, Path | None]:
    """Return the name of a database for people, its engine, and its file where it is one; nothing is opened yet.

    Args:
        place: Path of an SQLite file, or an SQLAlchemy URL (it holds "://").

    Raises:
        StoreError: The URL is not one, or its driver is not installed.
    """
    name = str(place)
    try:
        url = _with_driver(make_url(name)) if "://" in name else URL.create("sqlite", database=name)
        engine = create_engine(url)
    except (ArgumentError, ImportError, ValueError, TypeError) as error:
        reason = without_password(str(error)).splitlines()[0].rstrip(".")
        raise StoreError(
            explain("cannot open the store", got=without_password(name),
                    remedy=f"{reason}. Give a path, or the URL of an installed driver.")
        ) from error  # fmt: skip
    file = None
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
        found = url.database or ""
        file = Path(found) if found and found != ":memory:" and not found.startswith("file:") else None
    return without_password(name), engine, file


def prepare(engine: Engine, schema: MetaData, *, version: int, migrations: Migrations | None = None) -> int:
    """Make the tables where they are missing, by one process at a time, and return the version of what is there.

    Args:
        engine: Of the database.
        schema: The tables.
        version: Of the schema, written into a new database. Tables without a version are those of the first.
        migrations: What brings an older database to each version, all in one transaction; it stays as it is if None.

    Raises:
        SQLAlchemyError: It cannot be done.
    """
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            found = _prepare(engine, schema, version)
            return _migrated(engine, version, migrations) if migrations is not None and found < version else found
        except OperationalError as error:
            # SQLite does not wait for the lock that it needs to switch write-ahead mode on.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _prepare(engine: Engine, schema: MetaData, version: int) -> int:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # "if not exists" looks first and creates afterwards. Without this lock, two processes at once would fail.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        known = set(inspect(connection).get_table_names())
        tables = [_ABOUT, *schema.sorted_tables]
        unversioned = _ABOUT.name not in known and bool(known & {table.name for table in schema.sorted_tables})
        if not {table.name for table in tables} <= known:
            for table in tables:
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
        if connection.execute(select(_ABOUT.c.version)).first() is None:
            upsert(connection, _ABOUT, [{"version": 1 if unversioned else version}])
        return version_of(connection)


def version_of(connection: Connection) -> int:
    """Return the version of a database's schema.

    Raises:
        SQLAlchemyError: It says none.
    """
    return max(row.version for row in connection.execute(select(_ABOUT.c.version)))


def _migrated(engine: Engine, version: int, migrations: Migrations) -> int:
    """Bring an older database to a version; a second process waits, and finds it done."""
    # Alembic takes a tenth of a second to import, and few stores are old.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # The driver begins a transaction before a row is written, and not before a table is changed.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        operations = Operations(MigrationContext.configure(connection))
        for number in range(version_of(connection) + 1, version + 1):
            migrations[number](operations)
        connection.execute(_ABOUT.delete())
        connection.execute(_ABOUT.insert(), [{"version": version}])
    return version


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; one whose primary key is known is replaced.

    Args:
        connection: In a transaction.
        table: The table; it has one primary key.
        rows: No key twice.

    Raises:
        SQLAlchemyError: It cannot be done.
    """
    (key,) = table.primary_key.columns
    insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}.get(connection.dialect.name)
    if insert is None:
        connection.execute(table.delete().where(key.in_([row[key.name] for row in rows])))
        connection.execute(table.insert(), list(rows))
        return
    statement = insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if column is not key}
    if others:
        statement = statement.on_conflict_do_update(index_elements=[key], set_=others)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=[key])
    connection.execute(statement, list(rows))


def is_broken_store(file: Path, engine: Engine) -> bool:
    """Whether a file was an SQLite database and cannot be used now."""
    if not file.is_file() or file.stat().st_size == 0:
        return False
    with file.open("rb") as stream:
        head = stream.read(len(_MAGIC))
    if head != _MAGIC[: len(head)]:
        return False  # it was never a database, so it is left where it is
    try:
        with engine.connect() as connection:
            if file.stat().st_size > _CHECKED_BYTES:
                connection.execute(text("SELECT count(*) FROM sqlite_master")).all()
                return False
            return bool(connection.execute(text("PRAGMA quick_check(1)")).scalar() != "ok")
    except DatabaseError as error:
        # A full disk is an I/O error too, and no damage. Only a file that ends too early is.
        if getattr(error.orig, "sqlite_errorname", "SQLITE_IOERR_SHORT_READ") != "SQLITE_IOERR_SHORT_READ":
            return any(word in str(error) for word in ("malformed", "not a database"))
        return any(word in str(error) for word in ("malformed", "not a database", "disk I/O error"))


def _with_driver(url: URL) -> URL:
    # The extra `postgres` installs psycopg; SQLAlchemy looks for its predecessor where no driver is named.
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _tune_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
