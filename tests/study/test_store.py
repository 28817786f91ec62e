"""The store keeps what was put, and says clearly what is wrong with a file it cannot use."""

from __future__ import annotations

import os
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenas.errors import StoreError
from edgenas.study import Context, Evaluation, Failure, Metric, open_store

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
METRICS = st.builds(
    Metric,
    value=NUMBERS,
    standard_error=st.none() | NUMBERS,
    unit=st.sampled_from(["1", "ms", "MAC"]),
    source=st.sampled_from(["measured", "predicted", "inherited", "trained", "score", "proxy"]),
)
EVALUATIONS = st.builds(
    Evaluation,
    digest=st.text("0123456789abcdef", min_size=64, max_size=64),
    genes=st.lists(st.integers(0, 9)).map(tuple),
    metrics=st.lists(st.tuples(st.text(), METRICS)).map(tuple),
    fidelity=st.floats(0.01, 1),
    seconds=st.floats(0, 1e6),
)
FAILURES = st.builds(
    Failure, reason=st.text(), digest=st.just("d"), seconds=st.floats(0, 10),
    genes=st.lists(st.integers(0, 9)).map(tuple),
)  # fmt: skip


@given(st.lists(EVALUATIONS | FAILURES, max_size=5))
def test_what_was_put_comes_back_to_the_last_bit(outcomes):
    store = open_store("sqlite://")
    put = {str(i): outcome for i, outcome in enumerate(outcomes)}
    store.put_many(put)
    assert store.get_many([*put, "unknown"]) == put


EVALUATION = Evaluation(
    digest="e" * 64, genes=(3, 0, 2), fidelity=0.25, seconds=1.5,
    metrics=(("accuracy", Metric(value=0.5, standard_error=0.01, unit="1", source="inherited")),
             ("latency_ms", Metric(value=1.25, unit="ms", source="predicted"))),
)  # fmt: skip


def test_one_evaluation_and_one_failure_come_back_as_they_were():
    store = open_store("sqlite://")
    put = {"e": EVALUATION, "f": Failure(reason="broke", digest="f" * 64, seconds=0.5)}
    store.put_many(put)
    assert store.get_many(["e", "f"]) == put


def test_only_what_was_put_with_a_context_is_of_it(tmp_path):
    store = open_store(tmp_path / "s.sqlite")
    here, there = Context(evaluator="here"), Context(evaluator="there")
    store.put_many({"b": EVALUATION, "a": Failure(reason="first")}, context=here)
    store.put_many({"c": Failure(reason="elsewhere")}, context=there)
    store.put_many({"d": Failure(reason="nowhere")})
    assert store.of_context(here) == [Failure(reason="first"), EVALUATION]
    assert store.of_context(there) == [Failure(reason="elsewhere")]
    assert store.of_context(Context(evaluator="no one")) == []


def test_what_is_set_aside_takes_the_files_beside_it_along(tmp_path):
    from edgenas.study.store import _set_aside

    for ending in ("", "-wal", "-shm"):
        (tmp_path / f"s.sqlite{ending}").write_bytes(b"left over" + ending.encode())
    kept = _set_aside(tmp_path / "s.sqlite")
    assert kept == tmp_path / "s.sqlite.broken-1"
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {
        f"s.sqlite.broken-1{ending}": b"left over" + ending.encode() for ending in ("", "-wal", "-shm")
    }


def test_of_a_long_cause_the_first_line_is_told():
    from edgenas.study.store import explain_unusable

    error = ValueError("the first line\nthe second: https://sqlalche.me")
    assert "got the first line in here" in explain_unusable("here", error)
    assert "got ValueError in here" in explain_unusable("here", ValueError(""))


def test_putting_again_replaces():
    store = open_store("sqlite://")
    store.put_many({"k": Failure(reason="first")})
    store.put_many({"k": Failure(reason="second")}, context=Context(evaluator="e"))
    assert store.get_many(["k"]) == {"k": Failure(reason="second")}
    assert len(store) == 1


def test_more_keys_than_a_statement_takes_are_read_and_written(tmp_path):
    store = open_store(tmp_path / "s.sqlite")
    put = {str(i): Failure(reason=str(i)) for i in range(3000)}
    store.put_many(put)
    assert store.get_many(put) == put


def test_what_one_process_put_another_reads_at_once(tmp_path):
    first, second = open_store(tmp_path / "s.sqlite"), open_store(tmp_path / "s.sqlite")
    first.put_many({"k": Failure(reason="r")})
    assert "k" in second.get_many(["k"])
    mode = sqlite3.connect(tmp_path / "s.sqlite").execute("PRAGMA journal_mode").fetchone()
    assert mode == ("wal",)


def test_every_part_of_a_context_changes_the_key():
    contexts = [
        Context(evaluator="a"),
        Context(evaluator="b"),
        Context(evaluator="a", settings="s"),
        Context(evaluator="a", data="s"),
        Context(evaluator="a", device="s"),
    ]
    keys = {c.key(digest) for c in contexts for digest in ("x", "y")}
    assert len(keys) == 10
    assert all(len(k) == 64 for k in keys)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "s").write_text("hello, this is a letter and not a database, however long you look at it" * 50)
    with pytest.raises(StoreError, match="not a database"):
        open_store(tmp_path / "s")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        open_store(tmp_path / "nowhere" / "s")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    open_store(tmp_path / "s").close()
    (tmp_path / "s").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(StoreError, match="cannot be used"):
            open_store(tmp_path / "s")
    finally:
        tmp_path.chmod(0o755)


def test_a_read_only_database_is_refused_when_it_is_opened(tmp_path):
    open_store(tmp_path / "s").close()
    with pytest.raises(StoreError, match="readonly"):
        open_store(f"sqlite:///file:{tmp_path / 's'}?mode=ro&uri=true")


@pytest.mark.parametrize("url", ["what://is/this", "://", "postgresql+nodriver://x/y"])
def test_a_url_that_nothing_can_open_is_refused(url):
    with pytest.raises(StoreError, match="cannot open"):
        open_store(url)


def test_a_store_that_stays_locked_is_one_clear_error_and_later_takes_what_was_put(tmp_path, monkeypatch):
    monkeypatch.setattr("edgenas.study.database._BUSY_MS", 100)
    store = open_store(tmp_path / "s")
    held = sqlite3.connect(tmp_path / "s", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="database is locked in .* Another process has been writing"):
        store.put_many({"k": EVALUATION})
    held.execute("ROLLBACK")
    store.put_many({"k": EVALUATION})
    assert store.get_many(["k"]) == {"k": EVALUATION}


def test_a_full_disk_is_one_clear_error_and_loses_nothing_that_was_put(tmp_path):
    store = open_store(tmp_path / "s")
    store.put_many({"k": EVALUATION})
    with store._engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=8")
    with pytest.raises(StoreError, match="disk is full in .* Free some space or name another store"):
        store.put_many({str(number): Failure(reason="r" * 500) for number in range(200)})
    assert store.get_many(["k"]) == {"k": EVALUATION} and len(store) == 1
    store.close()
    again = open_store(tmp_path / "s")
    assert len(again) == 1 and not list(tmp_path.glob("*.broken*"))


def test_a_damaged_entry_is_named(tmp_path):
    open_store(tmp_path / "s").put_many({"k": Failure(reason="r")})
    with sqlite3.connect(tmp_path / "s") as connection:
        connection.execute("UPDATE outcomes SET outcome = 'x'")
    with pytest.raises(StoreError, match="not an outcome"):
        open_store(tmp_path / "s").get_many(["k"])


@pytest.mark.parametrize("column", ["outcome", "context", "digest"])
def test_an_entry_that_was_changed_is_not_taken_for_a_result(tmp_path, column):
    open_store(tmp_path / "s").put_many({"k": EVALUATION}, context=Context(evaluator="e"))
    with sqlite3.connect(tmp_path / "s") as connection:
        connection.execute(f"UPDATE outcomes SET {column} = replace({column}, '5', '6') || ' '")
    with pytest.raises(StoreError, match="damaged entry.*edgenas store verify --repair"):
        open_store(tmp_path / "s").get_many(["k"])


def test_a_number_that_is_none_is_a_damaged_entry_too(tmp_path):
    open_store(tmp_path / "s").put_many({"k": EVALUATION})
    with sqlite3.connect(tmp_path / "s") as connection:
        connection.execute("UPDATE outcomes SET outcome = replace(outcome, '1.25', 'NaN')")
    with pytest.raises(StoreError, match="not an outcome.*edgenas store verify --repair"):
        open_store(tmp_path / "s").get_many(["k"])


def test_a_password_in_a_url_is_not_shown(tmp_path):
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://me:secret@localhost:1/none")
    assert "secret" not in str(caught.value)


def test_people_find_the_architecture_and_the_context_beside_an_outcome(tmp_path):
    store, context = open_store(tmp_path / "s.sqlite"), Context(evaluator="e", device="phone")
    store.put_many({"a": Failure(reason="r", digest="d" * 100)}, context=context)
    store.put_many({"b": Failure(reason="r", digest="x")})
    rows = sqlite3.connect(tmp_path / "s.sqlite").execute(
        "SELECT key, architecture, context FROM outcomes ORDER BY key"
    )
    assert rows.fetchall() == [("a", "d" * 80, context.text()), ("b", "x", "")]


def test_the_cause_is_the_words_of_the_database_alone(tmp_path):
    with pytest.raises(StoreError) as error:
        open_store(tmp_path / "missing" / "s.sqlite")
    assert "unable to open database file in " in str(error.value)
    assert "sqlite3." not in str(error.value) and "sqlalche" not in str(error.value)


def test_a_store_says_its_schema_and_one_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version FROM edgenas_store").fetchall() == [(2,)]
        connection.execute("UPDATE edgenas_store SET version = 3")
    with pytest.raises(StoreError, match="schema 3; allowed: at most 2"):
        open_store(path)
