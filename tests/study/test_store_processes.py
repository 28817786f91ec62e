"""Many processes, damaged files, later versions: a store is made once, loses nothing and says what is wrong."""

import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from edgenas.errors import StoreError
from edgenas.study import Failure, open_store

OPENER = """
import sys
from edgenas.study import Failure, open_store
sys.stdin.readline()
store = open_store(sys.argv[1])
who, count, keys = sys.argv[2], int(sys.argv[3]), sys.argv[4]
for number in range(count):
    order = range(40) if int(who) % 2 else reversed(range(40))
    store.put_many({(f"{key}" if keys == "shared" else f"{who}-{number}-{key}"): Failure(reason=who) for key in order})
store.close()
"""


def together(place: str, *, count: int, keys: str, processes: int = 8) -> list[str]:
    """Let processes open a store at the same moment and put batches; return their errors."""
    command = [sys.executable, "-c", OPENER, place]
    started = [
        subprocess.Popen(
            [*command, str(who), str(count), keys], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for who in range(processes)
    ]
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate()[1] for process in started]


def test_eight_processes_open_a_new_store_at_once(tmp_path) -> None:
    for trial in range(4):
        place = tmp_path / f"{trial}.sqlite"
        assert together(str(place), count=3, keys="own") == [""] * 8
        assert len(open_store(place)) == 8 * 3 * 40


def test_processes_that_put_the_same_keys_do_not_fail(tmp_path) -> None:
    assert together(str(tmp_path / "s.sqlite"), count=10, keys="shared") == [""] * 8
    assert len(open_store(tmp_path / "s.sqlite")) == 40


def test_a_store_of_a_later_version_is_refused(tmp_path) -> None:
    open_store(tmp_path / "s").close()
    with sqlite3.connect(tmp_path / "s") as connection:
        connection.execute("UPDATE edgenas_store SET version = 99")
    with pytest.raises(StoreError, match="later version.*got schema 99"):
        open_store(tmp_path / "s")


def test_a_store_that_was_cut_short_is_set_aside_and_begun_anew_with_what_can_be_read(tmp_path) -> None:
    whole = tmp_path / "whole"
    store = open_store(whole)
    put = {str(key): Failure(reason=f"{key} " * 50) for key in range(300)}
    store.put_many(put)
    store.close()
    size, rng, saved = whole.stat().st_size, np.random.default_rng(0), []
    for number, length in enumerate([3, 15, 16, 99, 100, *rng.integers(1, size, 5).tolist(), size - 4096]):
        place, said = tmp_path / f"{number}.sqlite", []
        shutil.copy(whole, place)
        with place.open("r+b") as file:
            file.truncate(length)
        again = open_store(place, say=said.append)
        found = again.get_many(put)
        assert found == {key: put[key] for key in found}
        saved.append(len(found))
        assert f"{number}.sqlite.broken-1 now, and a new one was begun with {len(found)} evaluations" in said[0]
        assert (tmp_path / f"{number}.sqlite.broken-1").stat().st_size == length
        again.put_many({"new": Failure(reason="n")})
        assert len(again) == len(found) + 1
        again.close()
        names = {entry.name for entry in tmp_path.iterdir() if entry.name.startswith((f"{number}.", "."))}
        assert names == {f"{number}.sqlite", f"{number}.sqlite.broken-1"}
    assert saved[:5] == [0] * 5 and saved[-1] > 200


def test_of_a_store_with_a_damaged_page_all_other_pages_are_saved(tmp_path) -> None:
    store = open_store(tmp_path / "s")
    store.put_many({str(key): Failure(reason=f"{key} " * 50) for key in range(300)})
    store.close()
    content = bytearray((tmp_path / "s").read_bytes())
    content[20 * 4096 : 21 * 4096] = bytes(4096)
    (tmp_path / "s").write_bytes(content)
    assert 260 < len(open_store(tmp_path / "s")) < 300


def test_a_file_that_never_was_a_store_is_not_moved(tmp_path) -> None:
    (tmp_path / "letter").write_text("Dear reader, " * 500)
    with pytest.raises(StoreError, match="not a database"):
        open_store(tmp_path / "letter")
    assert (tmp_path / "letter").read_text().startswith("Dear reader")


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:secret@localhost:port/none", "bogus://me:secret@x/y", "postgresql+psycopg://me:secret@:1/none",
     "postgresql://localhost:1/none?password=secret", "post gres://me:secret@x", "://me:secret@x"],
)  # fmt: skip
def test_no_error_shows_a_password(url) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
