"""Mutated files and texts against every reader: each is read, or refused in one short message.

    python benchmarks/fuzz.py --minutes 10 [--cases 10000] [--seed 0] [--run RUN_DIRECTORY] [--json OUT]

A case is a seed: it makes a mutated input of one kind (see fuzz_inputs.py) and reads it in a worker process, which has
30 s and 6 GiB. Counted are tracebacks (any exception that is no EdgenasError), hangs, silent acceptances (a change of
meaning that was read without a word: for digested files any other value, elsewhere what no file may say) and the
longest message. With `--run`, the files of that finished run are mutated too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from fuzz_inputs import KINDS, ROUNDS, SLOW, Accepted

from edgenas.errors import EdgenasError

# On a busy machine a report takes several seconds.
SECONDS = 30.0
MEMORY_BYTES = 6 * 2**30
# A screen of 24 lines of 80 characters, and the path that stands before a message.
MESSAGE_LETTERS = 2500

Answer = tuple[str, int, str]


def judge(read: Callable[[np.random.Generator, Path], object], seed: list[int], folder: Path) -> Answer:
    """Run one case; returns the outcome, the length of its message, and what to print of it."""
    try:
        found = read(np.random.default_rng(seed), folder)
    except EdgenasError as error:
        return "refused", len(str(error)), str(error)
    except BaseException as error:  # noqa: BLE001 (whatever it is, it is counted)
        where = traceback.extract_tb(error.__traceback__)[-1]
        return "traceback", 0, f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"[:300]
    silent = isinstance(found, Accepted) and found.silent
    return ("silent" if silent else "accepted"), 0, found.what if isinstance(found, Accepted) else ""


def work(pipe: Connection, base: Path, run: Path | None) -> None:
    """Answer cases until the pipe closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    readers = KINDS(base, run)
    with tempfile.TemporaryDirectory() as folder:
        while True:
            kind, seed = pipe.recv()
            pipe.send(judge(readers[kind], seed, Path(folder)))


class Worker:
    """A process that reads cases; a new one takes the place of one that hangs or dies."""

    def __init__(self, base: Path, run: Path | None) -> None:
        self._base, self._run = base, run
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, self._base, self._run), daemon=True)
        self._process.start()
        theirs.close()

    def case(self, kind: str, seed: list[int]) -> Answer:
        """Return what became of a case."""
        self._pipe.send((kind, seed))
        try:
            if self._pipe.poll(SECONDS):
                answer: Answer = self._pipe.recv()
                return answer
            outcome = ("hang", 0, f"over {SECONDS:g} s")
        except (EOFError, ConnectionResetError):
            outcome = ("traceback", 0, "the process died")
        self.stop()
        self._start()
        return outcome

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def main() -> None:
    """Run cases of all kinds in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cases", type=int, default=10_000, help="End after so many, if the time allows.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", help="Only these.")
    parser.add_argument("--run", type=Path, help="Directory of a finished run.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        names = [name for name in KINDS(base, options.run) if not options.kinds or name in options.kinds]
        order = [name for name in names if name not in SLOW] * ROUNDS + [name for name in names if name in SLOW]
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        longest: dict[str, int] = defaultdict(int)
        faults: Counter[str] = Counter()
        examples: dict[str, list[object]] = {}
        started, done, worker = time.monotonic(), 0, Worker(base, options.run)
        while done < options.cases and time.monotonic() - started < 60 * options.minutes:
            kind = order[done % len(order)]
            outcome, length, what = worker.case(kind, [options.seed, done])
            counts[kind][outcome] += 1
            longest[kind] = max(longest[kind], length)
            if outcome in ("traceback", "hang", "silent") or length > MESSAGE_LETTERS:
                key = f"{kind}: {outcome}: {what[:160]}"
                faults[key] += 1
                examples.setdefault(key, [options.seed, done])
            done += 1
        worker.stop()
    columns = ("accepted", "refused", "traceback", "hang", "silent")
    print(f"{'kind':<14}{'cases':>7}" + "".join(f"{name:>11}" for name in columns) + f"{'longest':>9}")
    total: Counter[str] = Counter()
    for kind in names:
        total += counts[kind]
        row = "".join(f"{counts[kind][name]:>11}" for name in columns)
        print(f"{kind:<14}{counts[kind].total():>7}{row}{longest[kind]:>9}")
    row = "".join(f"{total[name]:>11}" for name in columns)
    print(f"{'all':<14}{total.total():>7}{row}{max(longest.values(), default=0):>9}")
    print(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    for key, count in faults.most_common(40):
        print(f"{count:>6}  {key}  (seed {examples[key]})")
    if options.json:
        kinds = {kind: {**{name: counts[kind][name] for name in columns}, "longest": longest[kind]} for kind in names}
        document = {
            "cases": total.total(), "seed": options.seed, "seconds": round(time.monotonic() - started), "kinds": kinds,
            "faults": dict(faults),
        }  # fmt: skip
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
