"""Many writers on one store: is an evaluation lost, or stored twice? `python benchmarks/store_writers.py [--json OUT]`.

Every writer stores its own evaluations one by one, as a search does, and looks each up first. A tenth of them are the
same for all writers, who meet there in different orders. At the end the store is read completely by `store verify`.
PostgreSQL is a server that this program starts, or the one at --postgres URL.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgenas.study import Context, Evaluation, Metric, open_store
from edgenas.study.verify import verify_store

CONTEXT = Context(evaluator="writers")
_SHARED = 10
"""One evaluation in so many is shared by all writers."""


def evaluation(digest: str) -> Evaluation:
    """The evaluation of a network; the same for every writer."""
    value = (int.from_bytes(digest.encode()[-6:], "big") % 997) / 997
    return Evaluation(digest=digest, genes=(len(digest),), metrics=(("accuracy", Metric(value=value)),))


def digests(writer: int, count: int) -> list[str]:
    """Digests of the networks that one writer evaluates, in its order."""
    shared = [f"shared-{number:06d}" for number in range(count // _SHARED)]
    own = [f"{writer:03d}-{number:06d}" for number in range(count - len(shared))]
    return random.Random(writer).sample([*shared, *own], count)


def write(place: str, writer: int, count: int) -> None:
    """The work of one writer."""
    store = open_store(place)
    sys.stdin.readline()  # all begin together
    for digest in digests(writer, count):
        key = CONTEXT.key(digest)
        if not store.get_many([key]):
            store.put_many({key: evaluation(digest)}, context=CONTEXT)
    store.close()


def measured(place: str, *, writers: int, count: int) -> dict[str, Any]:
    """Let writers work on a store at the same time, and compare what it holds with what they wrote.

    Args:
        place: A new store.
        writers: Processes.
        count: Evaluations of each.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, __file__, "--place", place, "--evaluations", str(count)]
    started = [
        subprocess.Popen([*command, "--writer", str(writer)], stdin=subprocess.PIPE, env=environment)
        for writer in range(writers)
    ]
    begun = time.perf_counter()
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
    failed = sum(process.wait() != 0 for process in started)
    seconds = time.perf_counter() - begun
    wanted = {digest for writer in range(writers) for digest in digests(writer, count)}
    store, found = open_store(place), verify_store(place)
    kept = store.get_many(CONTEXT.key(digest) for digest in wanted)
    lost = sum(kept.get(CONTEXT.key(digest)) != evaluation(digest) for digest in wanted)
    store.close()
    return {
        "writers": writers,
        "evaluations_of_each": count,
        "distinct": len(wanted),
        "stored": found.evaluations,
        "lost": lost,
        "twice": found.evaluations - len(wanted) + lost,
        "damaged": len(found.damage),
        "failed_writers": failed,
        "seconds": round(seconds, 1),
        "evaluations_per_second": round(writers * count / seconds),
    }


def on_postgres(url: str, *, writers: int, count: int) -> dict[str, Any]:
    """The same in a new database of a server."""
    from sqlalchemy import create_engine, text

    name = f"writers_{os.getpid()}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        place = engine.url.set(database=name).render_as_string(hide_password=False)
        return measured(place, writers=writers, count=count)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--evaluations", type=int, default=10_000, help="of each writer")
    parser.add_argument("--postgres", help="URL of a server; one is started here if left out")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    parser.add_argument("--writer", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.writer is not None:
        write(given.place, given.writer, given.evaluations)
        return
    from postgres_server import programs, temporary_server

    size = {"writers": given.writers, "count": given.evaluations}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        found["sqlite"] = measured(f"{folder}/store.sqlite", **size)
    here = programs()
    if given.postgres is not None:
        found["postgresql"] = on_postgres(given.postgres, **size)
    elif here is not None:
        with temporary_server(here) as url:
            found["postgresql"] = on_postgres(url, **size)
    for name, values in found.items():
        print(f"{name:12}" + "  ".join(f"{key} {value}" for key, value in values.items()))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    wrong = ("lost", "twice", "damaged", "failed_writers")
    if any(values[key] for values in found.values() for key in wrong):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
