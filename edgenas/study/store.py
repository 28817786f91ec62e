"""The store of evaluations. Runs share it, so that no evaluation is repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, Text, func, select
from sqlalchemy.exc import SQLAlchemyError

from edgenas import atomic
from edgenas.errors import StoreError, explain
from edgenas.reading.json_text import plain_text, plain_value
from edgenas.study.database import connect, is_broken_store, prepare, upsert, without_password
from edgenas.study.values import Context, Evaluation, Failure, Metric, Outcome
from edgenas.types import Say

_CHUNK = 500
_VERSION = 1
_SCHEMA = MetaData()
_OUTCOMES = Table(
    "outcomes",
    _SCHEMA,
    Column("key", String(64), primary_key=True),
    Column("architecture", String(80), index=True),
    Column("context", Text, nullable=False),
    Column("outcome", Text, nullable=False),
)


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
                chosen = _OUTCOMES.c.key.in_(wanted[start : start + _CHUNK])
                for key, text in connection.execute(select(_OUTCOMES.c.key, _OUTCOMES.c.outcome).where(chosen)):
                    found[key] = decode_outcome(text, self.name)
        return found

    def of_context(self, context: Context) -> list[Outcome]:
        """Return all outcomes that were put with a context, in an order that depends on nothing but them.

        Raises:
            StoreError: The database cannot be read, or holds an entry that is not an outcome.
        """
        query = select(_OUTCOMES.c.outcome).where(_OUTCOMES.c.context == context.text()).order_by(_OUTCOMES.c.key)
        with self._connection() as connection:
            return [decode_outcome(text, self.name) for (text,) in connection.execute(query)]

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
        rows = [
            {"key": key, "architecture": o.digest[:80], "context": about, "outcome": encode_outcome(o)}
            for key, o in outcomes.items()
        ]
        # Sorted, since two writers that lock the same rows in different orders would wait for each other for ever.
        rows.sort(key=lambda row: row["key"])
        with self._connection() as connection:
            for start in range(0, len(rows), _CHUNK):
                upsert(connection, _OUTCOMES, rows[start : start + _CHUNK])

    def __len__(self) -> int:
        with self._connection() as connection:
            return connection.execute(select(func.count()).select_from(_OUTCOMES)).scalar_one()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(_explain(self.name, error)) from error


def open_store(place: str | Path, *, say: Say | None = None) -> Store:
    """Open a store, and make it where there is none.

    An SQLite file that was cut short or damaged is set aside under another name, and a new store is begun.

    Args:
        place: Path of an SQLite file, or an SQLAlchemy URL (it holds "://").
        say: Told where a damaged file was set aside.

    Raises:
        StoreError: The URL is not one, its driver is not installed, or the database cannot be opened, is not a
            database, was made by a later version, or cannot be written.
    """
    name, engine, file = connect(place)
    try:
        if file is not None and is_broken_store(file, engine):
            engine.dispose()
            kept = _set_aside(file)
            if say is not None:
                say(f"  the store {file} was damaged: it lies in {kept.name} now, and a new one was begun")
        version = prepare(engine, _SCHEMA, version=_VERSION)
        with engine.begin() as connection:
            # A read-only file opens without an error and fails at the first write. This write finds it now.
            connection.execute(_OUTCOMES.delete().where(_OUTCOMES.c.key == ""))
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise StoreError(_explain(name, error)) from error
    if version > _VERSION:
        engine.dispose()
        raise StoreError(
            explain(f"the store {name} was made by a later version of edgenas", got=f"schema {version}",
                    allowed=f"at most {_VERSION}", remedy="Update edgenas, or name another store.")
        )  # fmt: skip
    return Store(engine, name)


def _set_aside(file: Path) -> Path:
    kept = atomic.set_aside(file)
    for ending in ("-wal", "-shm"):
        beside = file.with_name(file.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))
    return kept


def _explain(name: str, error: Exception) -> str:
    cause = without_password((str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0])
    return explain(
        "the store cannot be used",
        got=f"{cause} in {name}",
        remedy="Check that the folder exists, that the file is a store of edgenas and that it can be written, "
        "or name another store.",
    )


def encode_outcome(outcome: Outcome) -> str:
    """Write an outcome as JSON, as it stands in a store."""
    if isinstance(outcome, Failure):
        about = {"failure": outcome.reason, "digest": outcome.digest, "seconds": outcome.seconds}
        return plain_text({**about, "genes": [int(g) for g in outcome.genes]})
    metrics = [[name, m.value, m.standard_error, m.unit, m.source] for name, m in outcome.metrics]
    return plain_text(
        {
            "digest": outcome.digest,
            "genes": [int(g) for g in outcome.genes],
            "metrics": metrics,
            "fidelity": outcome.fidelity,
            "seconds": outcome.seconds,
        }
    )


def decode_outcome(text: str, name: str) -> Outcome:
    """Read an outcome that `encode_outcome` wrote.

    Args:
        text: JSON.
        name: Of the store or file it comes from, for the error.

    Raises:
        StoreError: It is none.
    """
    try:
        value = plain_value(text)
        if "failure" in value:
            # Earlier versions wrote no code of a failure, and read over the one that is written now.
            genes = tuple(value.get("genes", ()))
            return Failure(reason=value["failure"], digest=value["digest"], genes=genes, seconds=value["seconds"])
        metrics = tuple(
            (key, Metric(value=v, standard_error=error, unit=unit, source=source))
            for key, v, error, unit, source in value["metrics"]
        )
        return Evaluation(
            digest=value["digest"],
            genes=tuple(value["genes"]),
            metrics=metrics,
            fidelity=value["fidelity"],
            seconds=value["seconds"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(explain(f"the store {name} holds an entry that is not an outcome", got=text[:80])) from error
