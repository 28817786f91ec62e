"""Does a run survive kills? `python benchmarks/kill_test.py [--kills 100] [--json OUT]`.

A small run passes all stages: images, a given latency table, supernet, search, front, training, export, family, report.
It is killed (SIGKILL) at a random moment of a stage, each stage as often as the others however short it is, and started
again. Kills follow the order of the stages until all of a run are spent; then it is left to its end, and the next run
begins. At its end a run must have the front, weights and exported files of an uninterrupted one, bit for bit, and no
other files. Every evaluation is noted when it begins. One that the store held already was done twice, and one that the
store does not hold after a kill was lost. The device is a stand-in without a clock, so that runs can be compared. A
change of the configuration, whose results wait in `.next` and are then moved, is a stage of its own here (`replace`).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgenas.errors import EdgenasError  # noqa: E402

CHANGE = "train.weight_decay=0.0003"
"""Another configuration: only the winner, the family and the report are made anew."""
STAGES = ("data", "table", "supernet", "search", "front", "winner", "family", "report", "replace")
SMALL = (
    "supernet.epochs=2", "search.evaluations=20", "front.measure=3", "train.epochs=2", "export.recipe=onnx-fp32",
    "target.budget_share=0.8", "data.train_limit=200", "data.test_limit=60", "scale.phi=[0.5]",
)  # fmt: skip
SAME = ("architecture.json", "front.json", "winner.json", "family.json", "model.safetensors", "export/", "family/",
        "supernet/supernet.safetensors")  # fmt: skip
_TIMES = ("seconds", "date", "at", "created", "images_per_second", "waiting_share")
_CARD = ("card.json", "card.md")


@contextmanager
def _quiet(title: str) -> Iterator[Any]:
    yield lambda done, total, what: None


def stand_in(patch: Any = None) -> None:
    """Put a device without a clock in the place of this machine: the one that the tests use.

    Args:
        patch: A `pytest.MonkeyPatch` that takes it away again; for good if None.
    """
    import pytest

    from edgenas.pipeline.search.clock import Clock
    from tests.measure.fakes import use
    from tests.pipeline.conftest import steady_files

    patch = patch or pytest.MonkeyPatch()
    use(patch, noise=0.0)
    patch.setattr("edgenas.measure.measure_files", steady_files)
    patch.setattr("edgenas.pipeline.search.clock.measured_clock", lambda context: Clock())


def make_table(folder: Path) -> Path:
    """Build the table that all runs are given."""
    from edgenas.config import load
    from edgenas.pipeline.commands.run import run_some
    from edgenas.pipeline.stages import DATA, LATENCY_TABLE

    more = ("latency.networks=8", "latency.validation_networks=0", "latency.force=true", "latency.use_shipped=false")
    settings = load(ROOT / "configs" / "quickstart.yaml", [*SMALL, *more, f"output={folder}"])
    return run_some((DATA, LATENCY_TABLE), settings, progress=_quiet, say=lambda text: None) / "latency" / "table.json"


def _note_evaluations(notes: Path) -> None:
    """Write a line when an evaluation begins: its network, and whether the store of the run held it."""
    from edgenas.pipeline.search.candidate_judge import Judge

    outcome = Judge._outcome

    def noted(self: Any, code: Any, *rest: Any) -> Any:
        digest = self._space.decode(code).digest
        handle = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(handle, f"{os.getpid()} {digest}\n".encode())
        os.close(handle)
        return outcome(self, code, *rest)

    Judge._outcome = noted  # type: ignore[method-assign]


def run(folder: Path, table: Path, *, changed: bool, say: Any) -> None:
    """The run itself, as `edgenas run` does it."""
    from edgenas.config import load
    from edgenas.pipeline.commands.run import run_pipeline

    more = (CHANGE,) if changed else ()
    settings = load(ROOT / "configs" / "quickstart.yaml", [*SMALL, f"latency.table={table}", f"output={folder}", *more])
    run_pipeline(settings, progress=_quiet, say=say)


@dataclass
class Started:
    """A process at work on a run.

    Attributes:
        pid: Of the process.
        lines: What it says, a line at a time.
    """

    pid: int
    lines: Iterator[str]

    def kill(self) -> bool:
        """Kill it, and return whether it was still at work."""
        os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == -signal.SIGKILL

    def end(self) -> int:
        """Wait for its end, and return its status."""
        for _ in self.lines:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def start(folder: Path, table: Path, *, changed: bool) -> Started:
    """Start a process: a copy of this one, which has imported everything, so that kills hit work and no imports."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            _note_evaluations(folder / "notes")
            run(folder, table, changed=changed, say=lambda text: os.write(writing, f"{text}\n".encode()))
            (folder / "modules").write_text("\n".join(sys.modules), encoding="utf-8")
            status = 0
        except EdgenasError as error:
            os.write(writing, f"error: {error}\n".encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    return Started(pid, iter(os.fdopen(reading, encoding="utf-8", errors="replace")))


@dataclass
class Found:
    """What was seen of all runs.

    Attributes:
        kills: By stage.
        runs: Runs that were brought to their end.
        ended: How many of them ended without an error.
        differing: Files that differ from those of the uninterrupted run, or are too many or missing, with the run.
        twice: Evaluations of networks that the store held already.
        lost: Of each kill: evaluations that were begun and are not in the store.
    """

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    ended: int = 0
    differing: list[str] = field(default_factory=list)
    twice: int = 0
    lost: list[int] = field(default_factory=list)


def stored(folder: Path) -> set[str]:
    """Digests of the networks that the store of a run holds."""
    place = folder / "quickstart" / "store.sqlite"
    if not place.is_file():
        return set()
    with closing(sqlite3.connect(place)) as connection:
        try:
            return {digest for (digest,) in connection.execute("SELECT architecture FROM outcomes")}
        except sqlite3.OperationalError:
            return set()  # killed before its tables were made


def _after(folder: Path, before: set[str], found: Found, *, pid: int) -> int:
    """Count what a process did twice, and return what its end lost."""
    notes = folder / "notes"
    lines = [line.split() for line in notes.read_text().splitlines()] if notes.is_file() else []
    begun = [digest for process, digest in lines if process == str(pid)]
    found.twice += sum(digest in before for digest in begun) + len(begun) - len(set(begun))
    return len(set(begun) - stored(folder))


def import_all(folder: Path) -> None:
    """Import what a finished run has imported, so that no later process spends its time on that."""
    for name in (folder / "modules").read_text(encoding="utf-8").splitlines():
        with suppress(Exception):
            import_module(name)


def kill_in(folder: Path, table: Path, stage: str, moment: float, found: Found) -> bool:
    """Start a run and kill it some seconds after a stage has begun; return whether it was killed."""
    before = stored(folder)
    process = start(folder, table, changed=stage == "replace")
    for line in process.lines:
        # The change begins with the winner; the run before it is finished.
        if line.startswith(f"{'winner' if stage == 'replace' else stage}: ") and "unchanged" not in line:
            break
    time.sleep(moment)
    killed = process.kill()
    for line in process.lines:
        # It may have been faster than the run that the moment was drawn for.
        begun = line.partition(": ")[0]
        stage = begun if stage != "replace" and begun in STAGES else stage
    lost = _after(folder, before, found, pid=process.pid)
    if killed:
        found.kills[stage] += 1
        found.lost.append(lost)
    return killed


def finish(folder: Path, table: Path, found: Found, *, changed: bool) -> bool:
    """Leave a run to its end."""
    before = stored(folder)
    process = start(folder, table, changed=changed)
    good = process.end() == 0
    _after(folder, before, found, pid=process.pid)
    return good


def content(path: Path) -> object:
    """What has to be equal of a file: its bytes; of a document all but the times in it, and digests of these."""
    if path.name == "SHA256SUMS":
        return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.endswith(_CARD)]
    if path.name == "card.md":
        return re.sub(r"Made \S+;", "", path.read_text(encoding="utf-8"))
    if path.suffix != ".json":
        return path.read_bytes()
    document = json.loads(path.read_text(encoding="utf-8"))
    return _timeless({key: value for key, value in document.items() if path.name != "card.json" or key != "digest"})


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in _TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def files_of(folder: Path) -> set[str]:
    """Names of all files of a run; not those that SQLite keeps beside a store while it is open."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    return {name for name in found if not name.startswith("store.sqlite-")}


def compare(calm: Path, killed: Path) -> list[str]:
    """Return the files in which a run differs from the uninterrupted one."""
    found = [f"only in one: {name}" for name in sorted(files_of(calm) ^ files_of(killed))]
    for name in sorted(files_of(calm) & files_of(killed)):
        if name.startswith(SAME) and content(calm / name) != content(killed / name):
            found.append(f"differs: {name}")
    front = [[entry.get("genes") for entry in json.loads((run / "search.json").read_text())["evaluations"]]
             for run in (calm, killed)]  # fmt: skip
    return found + (["differs: the networks that search.json holds"] if front[0] != front[1] else [])


def _seconds(calm: Path) -> dict[str, float]:
    record = json.loads((calm / "stages.json").read_text(encoding="utf-8"))
    found = {name: float(record[name]["seconds"]) for name in STAGES if name in record}
    return {**found, "replace": found["winner"] + found["family"] + found["report"]}


def measure(kills: int, *, seed: int, each: int, folder: Path) -> dict[str, Any]:
    """Run the test.

    Args:
        kills: Kills in all.
        seed: Draws the moments.
        each: Kills of each stage in one run.
        folder: For the runs.
    """
    rng, found, began = np.random.default_rng(seed), Found(), time.perf_counter()
    table = make_table(folder / "table")
    calm = folder / "calm"
    for changed in (False, True):
        calm.mkdir(exist_ok=True)
        if not finish(calm, table, found, changed=changed):
            raise SystemExit("the uninterrupted run did not end")
        import_all(calm)
        if not changed:
            seconds = _seconds(calm / "quickstart")
            print("seconds of stages:", {name: round(value, 2) for name, value in seconds.items()}, flush=True)
    wanted = {stage: kills // len(STAGES) + (place < kills % len(STAGES)) for place, stage in enumerate(STAGES)}
    while sum(wanted.values()):
        place = folder / f"run-{found.runs}"
        place.mkdir()
        finished = False
        for stage in STAGES:
            if stage == "replace":
                finished = finish(place, table, found, changed=False)
            for _ in range(min(each, wanted[stage])):
                # A little beyond the stage too: the moment at which its end is written down belongs to it.
                moment = float(rng.uniform(0, 1.05 * seconds[stage] + 0.01))
                if not kill_in(place, table, stage, moment, found):
                    break
                wanted[stage] -= 1
        finished = finish(place, table, found, changed=True) and finished
        found.runs += 1
        found.ended += finished
        if finished:
            seconds = {name: min(value, seconds[name]) for name, value in _seconds(place / "quickstart").items()}
        wrong = compare(calm / "quickstart", place / "quickstart") if finished else ["it did not end"]
        found.differing += [f"run {found.runs}: {line}" for line in wrong]
        print(f"run {found.runs}: {sum(found.kills.values())} kills, {wrong or 'as the other'}", flush=True)
    return {
        "kills": sum(found.kills.values()),
        "runs": found.runs,
        "ended": found.ended == found.runs,
        "identical": not found.differing,
        "differing": found.differing,
        "evaluations_twice": found.twice,
        "most_lost_at_a_kill": max(found.lost, default=0),
        "kills_that_lost_one": sum(lost > 0 for lost in found.lost),
        "by_stage": {stage: found.kills[stage] for stage in STAGES},
        "stage_seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "seconds": round(time.perf_counter() - began, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it, print the result and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--each", type=int, default=3, help="kills of each stage in one run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the runs in this folder")
    given = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)  # a copy of a process has none of its threads
    stand_in()
    if given.keep is not None:
        given.keep.mkdir(parents=True)
        found = measure(given.kills, seed=given.seed, each=given.each, folder=given.keep)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(given.kills, seed=given.seed, each=given.each, folder=Path(folder))
    print(json.dumps(found, indent=1))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    good = found["ended"] and found["identical"] and not found["evaluations_twice"] and found["most_lost_at_a_kill"] < 2
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
