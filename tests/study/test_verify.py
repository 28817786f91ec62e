"""Every kind of damage to a store is found, named with a remedy, and repaired without a loss of what is whole."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edgenas.errors import StoreError
from edgenas.study import Context, Evaluation, Failure, Metric, open_store
from edgenas.study.document import encode_outcome
from edgenas.study.schema import row_digest
from edgenas.study.verify import verify_store
from tests.study.test_migrations import PUT, first_version

CONTEXT = Context(evaluator="e")
WHOLE = {
    CONTEXT.key(str(number)): Evaluation(
        digest=str(number), genes=(number,), metrics=(("accuracy", Metric(value=number / 64)),)
    )
    for number in range(40)
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    store = open_store(tmp_path / "s.sqlite")
    store.put_many(WHOLE, context=CONTEXT)
    store.put_many({"f": Failure(reason="r", digest="x")}, context=CONTEXT)
    store.close()
    return tmp_path / "s.sqlite"


def change(place: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(place)) as file, file:
        assert file.execute(statement, values).rowcount == 1


def test_a_whole_store_is_sound_and_stays_as_it_is(place: Path) -> None:
    before = place.read_bytes()
    found = verify_store(place, repair=True)
    assert (found.sound, found.schema, found.evaluations, found.failures, found.without_digest) == (True, 2, 40, 1, 0)
    assert place.read_bytes() == before
    assert json.loads(json.dumps(found.to_dict()))["sound"] is True


KEY = sorted(WHOLE)[7]
UPDATE = "UPDATE outcomes SET outcome = {} WHERE key = ?"


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("entry", UPDATE.format("substr(outcome, 1, 30)")),
        ("entry", UPDATE.format("''")),
        ("entry", UPDATE.format("replace(outcome, '0.', 'NaN, 0.')")),
        ("entry", UPDATE.format("replace(outcome, '0.', '1e999, 0.')")),
        ("entry", UPDATE.format("x'ff00ff'")),
        ("digest", UPDATE.format("replace(outcome, '0', '1')")),
        ("digest", "UPDATE outcomes SET context = '' WHERE key = ?"),
        ("digest", "UPDATE outcomes SET key = 'g' WHERE key = ?"),
    ],
)
def test_a_damaged_entry_is_named_and_a_repair_takes_it_alone(place: Path, kind: str, statement: str) -> None:
    change(place, statement, KEY)
    found = verify_store(place)
    assert [each.kind for each in found.damage] == [kind]
    assert found.damage[0].key in (KEY, "g") and "--repair" in found.damage[0].remedy
    assert not found.sound and found.evaluations == 39
    assert verify_store(place).damage == found.damage, "looking changes nothing"
    assert verify_store(place, repair=True).sound
    again = verify_store(place)
    assert again.sound and again.evaluations == 39
    assert open_store(place).get_many(WHOLE) == {key: value for key, value in WHOLE.items() if key != KEY}


def test_a_second_entry_of_one_evaluation_is_named(place: Path) -> None:
    text = encode_outcome(WHOLE[KEY])
    row = ("z" * 64, "a", CONTEXT.text(), text, row_digest("z" * 64, CONTEXT.text(), text))
    change(place, "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?)", *row)
    (damage,) = verify_store(place).damage
    assert (damage.kind, damage.key) == ("duplicate", "z" * 64) and KEY in damage.what
    verify_store(place, repair=True)
    assert open_store(place).get_many(WHOLE) == WHOLE


@pytest.mark.parametrize("wrong", ["zeros", "short", "index"])
def test_a_damaged_file_is_named_and_a_repair_keeps_what_can_be_read(place: Path, wrong: str) -> None:
    if wrong == "index":
        with closing(sqlite3.connect(place)) as file, file:
            file.execute("PRAGMA writable_schema=ON")
            file.execute("UPDATE sqlite_master SET sql = replace(sql, '(architecture)', '(context)') "
                         "WHERE name = 'ix_outcomes_architecture'")  # fmt: skip
    else:
        content, page = place.read_bytes(), 4096
        place.write_bytes(content[: len(content) - page - 7] if wrong == "short" else
                          content[: -2 * page] + bytes(page) + content[-page:])  # fmt: skip
    found = verify_store(place)
    assert {each.kind for each in found.damage} == {"file"} and "sets the file aside" in found.damage[0].remedy
    repaired = verify_store(place, repair=True)
    assert repaired.sound and repaired.repaired and (place.parent / "s.sqlite.broken-1").is_file()
    kept = open_store(place).get_many(WHOLE)
    assert kept == {key: WHOLE[key] for key in kept} and len(kept) == repaired.evaluations
    assert len(kept) == 40 or wrong != "index"
    assert len(kept) > 10


def test_a_store_of_an_earlier_version_is_read_as_it_is(tmp_path: Path) -> None:
    path = first_version(tmp_path / "old")
    found = verify_store(path)
    assert (found.sound, found.schema, found.without_digest) == (True, 1, len(PUT))
    assert found.evaluations + found.failures == len(PUT)


def test_a_store_of_a_later_version_and_a_foreign_database_are_named(place: Path, tmp_path: Path) -> None:
    change(place, "UPDATE edgenas_store SET version = ?", 9)
    (damage,) = verify_store(place).damage
    assert damage.kind == "schema" and "later version" in damage.what and "Update edgenas" in damage.remedy
    with closing(sqlite3.connect(tmp_path / "other")) as file, file:
        file.execute("CREATE TABLE letters (x)")
    (damage,) = verify_store(tmp_path / "other").damage
    assert damage.kind == "schema" and "no table of outcomes" in damage.what


def test_what_is_not_there_or_no_database_is_an_error_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store; got .*nothing"):
        verify_store(tmp_path / "nothing")
    (tmp_path / "letter").write_text("Dear reader, " * 500)
    with pytest.raises(StoreError, match="not a database"):
        verify_store(tmp_path / "letter")
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter"]
    with pytest.raises(StoreError, match="cannot be used") as caught:
        verify_store("postgresql://me:secret@localhost:1/none")
    assert "secret" not in str(caught.value)
