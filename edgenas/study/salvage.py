"""What can still be read of a damaged SQLite store."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from edgenas import atomic
from edgenas.errors import StoreError
from edgenas.study.document import decode_outcome
from edgenas.study.schema import row_digest

_MOST_PAGES = 1 << 24
_COLUMNS = ("key", "architecture", "context", "outcome")


def readable_rows(broken: Path) -> Iterator[dict[str, str]]:
    """Yield the whole rows of a damaged store's file, each once; nothing where no page of them can be read.

    The table is read from both ends, so that one damaged page costs little more than itself.

    Args:
        broken: The file; it is not changed.
    """
    seen: set[str] = set()
    with suppress(sqlite3.Error, OSError), _full_length(broken) as path, _reading(path) as file:
        file.text_factory = lambda content: content.decode("utf-8", "replace")
        known = {name for _, name, *_ in file.execute("PRAGMA table_info(outcomes)")}
        digest = "digest" if "digest" in known else "''"
        for order in ("ASC", "DESC"):
            query = f"SELECT {', '.join(_COLUMNS)}, {digest} FROM outcomes NOT INDEXED ORDER BY rowid {order}"
            with suppress(sqlite3.Error):
                for *values, mark in file.execute(query):
                    row = dict(zip(_COLUMNS, values, strict=True))
                    if all(isinstance(value, str) for value in values) and row["key"] not in seen:
                        seen.add(row["key"])
                        if _is_whole(row, mark):
                            yield {**row, "digest": row_digest(row["key"], row["context"], row["outcome"])}


@contextmanager
def _full_length(broken: Path) -> Iterator[Path]:
    """Give the file, or a copy with zeros where it was cut short: SQLite reads none that is shorter than it says."""
    with broken.open("rb") as stream:
        head = stream.read(32)
    page = int.from_bytes(head[16:18], "big")
    length = int.from_bytes(head[28:32], "big") * (65_536 if page == 1 else page)
    if broken.stat().st_size >= length or length > _MOST_PAGES * 65_536:
        yield broken
        return
    copy = atomic.draft_of(broken)
    try:
        shutil.copy(broken, copy)
        os.truncate(copy, length)
        if (log := broken.with_name(f"{broken.name}-wal")).is_file():
            shutil.copy(log, copy.with_name(f"{copy.name}-wal"))
        yield copy
    finally:
        for ending in ("", "-wal", "-shm"):
            copy.with_name(copy.name + ending).unlink(missing_ok=True)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        yield file


def _is_whole(row: dict[str, str], mark: str) -> bool:
    if mark and mark != row_digest(row["key"], row["context"], row["outcome"]):
        return False
    try:
        decode_outcome(row["outcome"], "")
    except StoreError:
        return False
    return True
