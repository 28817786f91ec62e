"""The store of evaluations. Runs share it, so that no evaluation is repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select
from sqlalchemy.exc import SQLAlchemyError

from edgenas import atomic
from edgenas.errors import StoreError, explain
from edgenas.study.database import connect, is_broken_store, prepare, upsert
from edgenas.study.document import REMEDY, decode_outcome, encode_outcome
from edgenas.study.salvage import readable_rows
from edgenas.study.schema import MIGRATIONS, OUTCOMES, SCHEMA, VERSION, row_digest
from edgenas.study.values import Context, Outcome
from edgenas.text import without_password
from edgenas.types import Say

_CHUNK = 500


class Store:
    """Outcomes by key, in any database that SQLAlchemy opens; SQLite in write-ahead mode by default.

    Every `put_many` is one transaction: a killed run keeps all that was put.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        """Wrap an engine; use `open_store`."""
        self._engine, self.name = engine, name

    def get_many(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes that are known among `keys`.

        Raises:
            StoreError: The database cannot be read, or holds an entry that is not an outcome.
        """
        wanted, found = list(dict.fromkeys(keys)), {}
        with self._connection() as connection:
            for start in range(0, len(wanted), _CHUNK):
                chosen = OUTCOMES.c.key.in_(wanted[start : start + _CHUNK])
                for row in connection.execute(select(OUTCOMES).where(chosen)):
                    found[row.key] = _whole(row, self.name)
        return found

    def of_context(self, context: Context) -> list[Outcome]:
        """Return all outcomes that were put with a context, in an order that depends on nothing but them.

        Raises:
            StoreError: The database cannot be read, or holds an entry that is not an outcome.
        """
        query = select(OUTCOMES).where(OUTCOMES.c.context == context.text()).order_by(OUTCOMES.c.key)
        with self._connection() as connection:
            return [_whole(row, self.name) for row in connection.execute(query)]

    def put_many(self, outcomes: Mapping[str, Outcome], *, context: Context | None = None) -> None:
        """Write outcomes by key in one transaction; one that is known already is replaced.

        Args:
            outcomes: Key to outcome.
            context: Written beside each, for people who look into the database.

        Raises:
            StoreError: The database cannot be written.
        """
        if not outcomes:
            return
        about = "" if context is None else context.text()
        rows = [_row(key, about, outcome) for key, outcome in outcomes.items()]
        # Sorted, since two writers that lock the same rows in different orders would wait for each other for ever.
        rows.sort(key=lambda row: row["key"])
        with self._connection() as connection:
            for start in range(0, len(rows), _CHUNK):
                upsert(connection, OUTCOMES, rows[start : start + _CHUNK])

    def __len__(self) -> int:
        with self._connection() as connection:
            return connection.execute(select(func.count()).select_from(OUTCOMES)).scalar_one()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(explain_unusable(self.name, error)) from error


def _row(key: str, context: str, outcome: Outcome) -> dict[str, str]:
    text = encode_outcome(outcome)
    mark = row_digest(key, context, text)
    return {"key": key, "architecture": outcome.digest[:80], "context": context, "outcome": text, "digest": mark}


def _whole(row: Row[Any], name: str) -> Outcome:
    """Read a row.

    Raises:
        StoreError: It is damaged.
    """
    outcome = decode_outcome(row.outcome, name)
    if row.digest and row.digest != row_digest(row.key, row.context, row.outcome):
        raise StoreError(explain(f"the store {name} holds a damaged entry", got=row.outcome[:80], remedy=REMEDY))
    return outcome


def open_store(place: str | Path, *, say: Say | None = None) -> Store:
    """Open a store, and make it where there is none.

    An SQLite file that was cut short or damaged is set aside under another name, and a new store is begun with what can
    still be read of it. A store of an earlier version is brought to this one.

    Args:
        place: Path of an SQLite file, or an SQLAlchemy URL (it holds "://").
        say: Told where a damaged file was set aside.

    Raises:
        StoreError: The URL is not one, its driver is not installed, or the database cannot be opened, is not a
            database, was made by a later version, or cannot be written.
    """
    name, engine, file = connect(place)
    try:
        kept = None
        if file is not None and is_broken_store(file, engine):
            engine.dispose()
            kept = _set_aside(file)
        version = prepare(engine, SCHEMA, version=VERSION, migrations=MIGRATIONS)
        if kept is not None:
            saved = _save(kept, engine)
            if say is not None:
                say(
                    f"  the store {file} was damaged: it lies in {kept.name} now, and a new one was begun with "
                    f"{saved} evaluations that could still be read"
                )
        with engine.begin() as connection:
            # A read-only file opens without an error and fails at the first write. This write finds it now.
            connection.execute(OUTCOMES.delete().where(OUTCOMES.c.key == ""))
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise StoreError(explain_unusable(name, error)) from error
    if version > VERSION:
        engine.dispose()
        raise StoreError(
            explain(f"the store {name} was made by a later version of edgenas", got=f"schema {version}",
                    allowed=f"at most {VERSION}", remedy="Update edgenas, or name another store.")
        )  # fmt: skip
    return Store(engine, name)


def begin_anew(place: str | Path) -> None:
    """Set a damaged SQLite store aside, and begin a new one with what can still be read of it.

    Raises:
        StoreError: It is no file, or cannot be written.
    """
    name, engine, file = connect(place)
    try:
        if file is None:
            raise StoreError(explain("only the file of a store can be set aside", got=name))
        kept = _set_aside(file)
        prepare(engine, SCHEMA, version=VERSION)
        _save(kept, engine)
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(explain_unusable(name, error)) from error
    finally:
        engine.dispose()


def _set_aside(file: Path) -> Path:
    kept = atomic.set_aside(file)
    for ending in ("-wal", "-shm"):
        beside = file.with_name(file.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))
    return kept


def _save(broken: Path, engine: Engine) -> int:
    """Write what can still be read of a broken store into a new one, and return how many rows that is."""
    rows = list(readable_rows(broken))
    with engine.begin() as connection:
        for start in range(0, len(rows), _CHUNK):
            upsert(connection, OUTCOMES, rows[start : start + _CHUNK])
    return len(rows)


def explain_unusable(name: str, error: Exception) -> str:
    """Compose the message of a database that gives an error, without the password in it."""
    cause = without_password((str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0])
    remedy = (
        "Check that the folder exists, that the file is a store of edgenas and that it can be written, or name another "
        "store."
    )
    if "disk is full" in cause or "disk I/O error" in cause:
        remedy = "Free some space or name another store; what was finished is kept."
    elif "locked" in cause:
        remedy = "Another process has been writing to it for half a minute. Wait for its end, and start again."
    return explain("the store cannot be used", got=f"{cause} in {name}", remedy=remedy)
