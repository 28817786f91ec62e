"""The store on a PostgreSQL server: `pytest -m postgres`, with EDGENAS_POSTGRES_URL or a server's programs here."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from benchmarks.postgres_server import programs, temporary_server
from benchmarks.store_writers import on_postgres
from edgenas.errors import StoreError
from edgenas.study import Failure, open_store
from tests.study.test_store_processes import together

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("psycopg")
    if os.environ.get("EDGENAS_POSTGRES_URL"):
        yield os.environ["EDGENAS_POSTGRES_URL"]
        return
    here = programs()
    if here is None:
        pytest.skip("no server: set EDGENAS_POSTGRES_URL, or install PostgreSQL")
    with temporary_server(here) as url:
        yield url


@pytest.fixture
def place(server: str) -> Iterator[str]:
    """A database of one's own."""
    from sqlalchemy import create_engine, text

    name = f"trial_{uuid.uuid4().hex[:8]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield str(engine.url.set(database=name).render_as_string(hide_password=False))
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def test_eight_processes_open_a_new_store_at_once(place) -> None:
    assert together(place, count=3, keys="own") == [""] * 8
    store = open_store(place)
    assert len(store) == 8 * 3 * 40
    store.close()


def test_processes_that_put_the_same_keys_in_other_orders_do_not_fail(place) -> None:
    assert together(place, count=25, keys="shared") == [""] * 8
    store = open_store(place)
    assert len(store) == 40
    store.close()


def test_what_was_put_comes_back_and_putting_again_replaces(place) -> None:
    store = open_store(place)
    store.put_many({"k": Failure(reason="a \u0000 NUL and a \U0001f600")})
    store.put_many({"k": Failure(reason="second"), "l": Failure(reason="third")})
    assert store.get_many(["k", "l"]) == {"k": Failure(reason="second"), "l": Failure(reason="third")}
    store.close()


def test_an_old_store_is_brought_forward_by_eight_processes_at_once_and_verified(place) -> None:
    from sqlalchemy import create_engine, text

    from edgenas.study.document import encode_outcome
    from edgenas.study.verify import verify_store

    engine = create_engine(place)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE outcomes (key VARCHAR(64) PRIMARY KEY, architecture VARCHAR(80), "
                                "context TEXT NOT NULL, outcome TEXT NOT NULL)"))  # fmt: skip
        connection.execute(text("CREATE INDEX ix_outcomes_architecture ON outcomes (architecture)"))
        connection.execute(text("CREATE TABLE edgenas_store (version INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO edgenas_store VALUES (1)"))
        row = {"outcome": encode_outcome(Failure(reason="r"))}
        for number in range(700):
            connection.execute(text(f"INSERT INTO outcomes VALUES ('old{number}', '', '', :outcome)"), row)
    assert verify_store(place).without_digest == 700
    assert together(place, count=1, keys="own") == [""] * 8
    found = verify_store(place)
    assert (found.sound, found.schema, found.failures, found.without_digest) == (True, 2, 700 + 8 * 40, 0)
    with engine.begin() as connection:
        connection.execute(text("UPDATE outcomes SET outcome = replace(outcome, '\"r\"', '\"q\"') WHERE key = 'old7'"))
    assert [each.kind for each in verify_store(place).damage] == ["digest"]
    assert verify_store(place, repair=True).sound
    assert verify_store(place).failures == 699 + 8 * 40
    engine.dispose()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="cannot be used") as caught:
        open_store("postgresql://me:secret@localhost:1/none")
    assert "secret" not in str(caught.value)


def test_eight_writers_lose_nothing_and_store_nothing_twice(server) -> None:
    found = on_postgres(server, writers=8, count=150)
    assert (found["stored"], found["lost"], found["twice"], found["failed_writers"]) == (8 * 135 + 15, 0, 0, 0)
