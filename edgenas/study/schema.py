"""The tables of a store, their version, and how an older store becomes one of this version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, String, Table, Text, bindparam, select

if TYPE_CHECKING:
    from alembic.operations import Operations

VERSION = 2
SCHEMA = MetaData()
OUTCOMES = Table(
    "outcomes",
    SCHEMA,
    Column("key", String(64), primary_key=True),
    Column("architecture", String(80), index=True),
    Column("context", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    # Of the row; empty where an earlier version of edgenas wrote it while this one was at work.
    Column("digest", String(64), nullable=False, server_default=""),
)
_CHUNK = 500


def row_digest(key: str, context: str, outcome: str) -> str:
    """Return the digest of a row (64 hex digits), by which damage to it is found.

    Args:
        key: Under which it is stored.
        context: As stored.
        outcome: As stored.
    """
    return hashlib.sha256("\n".join((key, context, outcome)).encode("utf-8", "surrogatepass")).hexdigest()


def _add_digests(operations: Operations) -> None:
    operations.add_column(OUTCOMES.name, Column("digest", String(64), nullable=False, server_default=""))
    connection = operations.get_bind()
    fill = OUTCOMES.update().where(OUTCOMES.c.key == bindparam("at")).values(digest=bindparam("mark"))
    query = select(OUTCOMES.c.key, OUTCOMES.c.context, OUTCOMES.c.outcome).order_by(OUTCOMES.c.key).limit(_CHUNK)
    rows = connection.execute(query).all()
    while rows:
        connection.execute(fill, [{"at": row.key, "mark": row_digest(*row)} for row in rows])
        rows = connection.execute(query.where(OUTCOMES.c.key > rows[-1].key)).all()


MIGRATIONS = {2: _add_digests}
