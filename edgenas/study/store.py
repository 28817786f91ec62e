"""The store of evaluations: what one run paid for, no other pays again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, Text, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from edgenas.errors import StoreError, explain
from edgenas.study.values import Context, Evaluation, Failure, Metric, Outcome

_CHUNK = 500
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
                    found[key] = _decode(text, self.name)
        return found

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
            {"key": key, "architecture": o.digest[:80], "context": about, "outcome": _encode(o)}
            for key, o in outcomes.items()
        ]
        keys = list(outcomes)
        with self._connection() as connection:
            for start in range(0, len(keys), _CHUNK):
                connection.execute(_OUTCOMES.delete().where(_OUTCOMES.c.key.in_(keys[start : start + _CHUNK])))
            connection.execute(_OUTCOMES.insert(), rows)

    def __len__(self) -> int:
        with self._connection() as connection:
            return len(connection.execute(select(_OUTCOMES.c.key)).all())

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


def open_store(place: str | Path) -> Store:
    """Open a store, and make it where there is none.

    Args:
        place: Path of an SQLite file, or an SQLAlchemy URL (it holds "://").

    Raises:
        StoreError: The URL is not one, its driver is not installed, or the database cannot be opened, is not a
            database, or cannot be written.
    """
    name = str(place)
    url = name if "://" in name else f"sqlite:///{name}"
    try:
        parsed = make_url(url)
        name = parsed.render_as_string(hide_password=True) if "://" in name else name
        engine = create_engine(parsed)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise StoreError(
            explain(
                "cannot open the store", got=name, remedy=f"{error}. Give a path, or the URL of an installed driver"
            )
        ) from error
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    try:
        _SCHEMA.create_all(engine)
        with engine.begin() as connection:
            # A read-only file opens well and fails at the first write: find out now.
            connection.execute(_OUTCOMES.delete().where(_OUTCOMES.c.key == ""))
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(_explain(name, error)) from error
    return Store(engine, name)


def _tune_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _explain(name: str, error: SQLAlchemyError) -> str:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    return explain(
        "the store cannot be used",
        got=f"{cause} in {name}",
        remedy="Check that the folder exists, that the file is a store of edgenas and that it can be written, "
        "or name another store.",
    )


def _encode(outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        return json.dumps({"failure": outcome.reason, "digest": outcome.digest, "seconds": outcome.seconds})
    metrics = [[name, m.value, m.standard_error, m.unit, m.source] for name, m in outcome.metrics]
    return json.dumps(
        {
            "digest": outcome.digest,
            "genes": [int(g) for g in outcome.genes],
            "metrics": metrics,
            "fidelity": outcome.fidelity,
            "seconds": outcome.seconds,
        }
    )


def _decode(text: str, name: str) -> Outcome:
    try:
        value = json.loads(text)
        if "failure" in value:
            return Failure(reason=value["failure"], digest=value["digest"], seconds=value["seconds"])
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
