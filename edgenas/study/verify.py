"""Finding damage in a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, inspect, select, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from edgenas.errors import StoreError, explain
from edgenas.reading.json_text import plain_value
from edgenas.study.database import connect, version_of
from edgenas.study.document import decode_outcome
from edgenas.study.schema import OUTCOMES, VERSION, row_digest
from edgenas.study.store import begin_anew, explain_unusable
from edgenas.study.values import Failure

Kind = Literal["file", "schema", "entry", "digest", "duplicate"]
_CHUNK = 500
_REPAIR = "--repair removes the entry, so that it is evaluated again"
_SAVE = "--repair sets the file aside and begins a new one with the entries that can still be read"
_OF_ROWS = ("entry", "digest", "duplicate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is wrong with a store.

    Attributes:
        kind: `file`: the database itself; `schema`: its tables; `entry`: a document that is no outcome, or holds a
            number that is none; `digest`: an entry that was changed; `duplicate`: a second entry of one evaluation.
        key: Of the entry; empty where it is none's.
        what: What is wrong.
        remedy: What to do about it.
    """

    kind: Kind
    key: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCheck:
    """What was found in a store.

    Attributes:
        store: Its name, without a password.
        schema: Version of its tables; 0 where that cannot be read.
        evaluations: Whole entries of networks that were judged.
        failures: Whole entries of networks that could not be judged.
        without_digest: Whole entries that no digest protects: those of an earlier version.
        damage: What is wrong.
        repaired: Whether it has been repaired since.
    """

    store: str
    schema: int
    evaluations: int
    failures: int
    without_digest: int
    damage: tuple[Damage, ...]
    repaired: bool = False

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it now."""
        return self.repaired or not self.damage

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "damage": [asdict(each) for each in self.damage], "sound": self.sound}


def verify_store(place: str | Path, *, repair: bool = False) -> StoreCheck:
    """Read every entry of a store, and say what is wrong with it. Other processes may use the store meanwhile.

    Args:
        place: Path of an SQLite file, or an SQLAlchemy URL.
        repair: Remove damaged entries, and set a damaged file aside; what is whole stays.

    Raises:
        StoreError: There is no store, it cannot be opened, or it is no database.
    """
    name, engine, file = connect(place)
    if file is not None and not file.is_file():
        raise StoreError(explain("there is no store", got=name, remedy="Give the file or URL of a store, or a run."))
    try:
        found = _checked(engine, name, is_file=file is not None)
        if not repair or not found.damage:
            return found
        _repair(engine, place, found)
    except SQLAlchemyError as error:
        raise StoreError(explain_unusable(name, error)) from error
    finally:
        engine.dispose()
    left = verify_store(place)
    repaired = not left.damage
    return StoreCheck(
        store=name, schema=left.schema, evaluations=left.evaluations, failures=left.failures,
        without_digest=left.without_digest, damage=found.damage if repaired else left.damage, repaired=repaired,
    )  # fmt: skip


def _checked(engine: Engine, name: str, *, is_file: bool) -> StoreCheck:
    damage: list[Damage] = []
    counts = Counter[str]()
    schema = 0
    try:
        with engine.connect() as connection:
            if is_file:
                damage += _of_file(connection)
            schema = _schema(connection, damage)
            if schema:
                _rows(connection, damage, counts, name, has_digest=schema > 1)
    except DatabaseError as error:
        if not is_file or "malformed" not in str(error):
            raise
        damage.append(Damage(kind="file", key="", what="a part of it cannot be read", remedy=_SAVE))
    return StoreCheck(
        store=name, schema=schema, damage=tuple(damage), evaluations=counts["evaluations"],
        failures=counts["failures"], without_digest=counts["without_digest"],
    )  # fmt: skip


def _of_file(connection: Connection) -> Iterator[Damage]:
    # Bytes that are no text would end the reading; as other characters they do not match the digest.
    driver: Any = connection.connection.driver_connection
    driver.text_factory = lambda content: content.decode("utf-8", "replace")
    for (line,) in connection.execute(text("PRAGMA integrity_check(20)")):
        if line != "ok":
            yield Damage(kind="file", key="", what=" ".join(str(line).split()), remedy=_SAVE)


def _schema(connection: Connection, damage: list[Damage]) -> int:
    """Return the version of the tables; 0 where they cannot be read."""
    known = set(inspect(connection).get_table_names())
    if OUTCOMES.name not in known:
        remedy = "Name another store, or delete this database if nothing else uses it."
        damage.append(Damage(kind="schema", key="", what="it has no table of outcomes", remedy=remedy))
        return 0
    schema = version_of(connection) if "edgenas_store" in known else 1
    if schema > VERSION:
        what = f"it was made by a later version of edgenas, schema {schema} where this one knows {VERSION}"
        damage.append(Damage(kind="schema", key="", what=what, remedy="Update edgenas, or name another store."))
        return 0
    return schema


def _rows(
    connection: Connection, damage: list[Damage], counts: Counter[str], name: str, *, has_digest: bool
) -> None:
    """Check every row, in the order of keys, a part at a time: a store may be larger than the memory."""
    first: dict[tuple[str, str], str] = {}
    columns = [column for column in OUTCOMES.c if has_digest or column.name != "digest"]
    query, last = select(*columns).order_by(OUTCOMES.c.key).limit(_CHUNK), ""
    while rows := connection.execute(query.where(OUTCOMES.c.key > last)).all():
        for row in rows:
            wrong = _of_row(row, name, row.digest if has_digest else "") or _second(row, first)
            if wrong is not None:
                damage.append(wrong)
                continue
            counts["failures" if "failure" in plain_value(row.outcome) else "evaluations"] += 1
            counts["without_digest"] += not (has_digest and row.digest)
        last = rows[-1].key


def _of_row(row: Row[Any], name: str, digest: str) -> Damage | None:
    try:
        decode_outcome(row.outcome, name)
    except StoreError:
        what = f"its document is no outcome: {str(row.outcome)[:60]!r}"
        return Damage(kind="entry", key=row.key, what=what, remedy=_REPAIR)
    if digest and digest != row_digest(row.key, row.context, row.outcome):
        return Damage(kind="digest", key=row.key, what="its digest does not match: it was changed", remedy=_REPAIR)
    return None


def _second(row: Row[Any], first: dict[tuple[str, str], str]) -> Damage | None:
    """Return the damage of a row whose evaluation another one holds already."""
    outcome = decode_outcome(row.outcome, "")
    if not outcome.digest or not row.context or isinstance(outcome, Failure):
        return None
    other = first.setdefault((outcome.digest, row.context), row.key)
    if other == row.key:
        return None
    return Damage(kind="duplicate", key=row.key, what=f"it is the evaluation that {other} holds", remedy=_REPAIR)


def _repair(engine: Engine, place: str | Path, found: StoreCheck) -> None:
    if any(each.kind == "file" for each in found.damage):
        engine.dispose()
        begin_anew(place)
        return
    keys = [each.key for each in found.damage if each.kind in _OF_ROWS]
    with engine.begin() as connection:
        for start in range(0, len(keys), _CHUNK):
            connection.execute(OUTCOMES.delete().where(OUTCOMES.c.key.in_(keys[start : start + _CHUNK])))
