"""Would the tests notice a small mistake? `python scripts/mutants.py [FILE ...] [--json OUT] [--survivors]`.

A mutant is a file of edgenas with one small change. Tests are collected once, and every mutant is a fork of that
process in which the functions are exchanged: it runs only those tests that reach the changed lines, until the first
fails. Results lie in a JSON file, and what is in it is not done again (`--again` runs survivors once more).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import resource
import select
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mutators import Mutant, mutants
from transplant import transplant

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results/mutants.json"
SEED = 11
_REINFORCE = ("tests/search/reinforce",)
_STUDY = ("tests/study/test_study.py",)
_STORE = ("tests/study/test_store.py", "tests/study/test_store_processes.py")
TARGETS: dict[str, tuple[str, ...]] = {
    "search/reward.py": ("tests/search/test_reward.py",),
    "search/factorised.py": (
        "tests/search/test_factorised.py",
        "tests/search/reinforce/test_policy.py",
        "tests/oneshot/test_distribution.py",
    ),
    "search/reinforce/policy.py": _REINFORCE,
    "search/reinforce/searcher.py": _REINFORCE,
    "search/reinforce/synonyms.py": _REINFORCE,
    "search/reinforce/recurrent.py": ("tests/search/reinforce/test_recurrent.py",),
    "study/history.py": (*_STUDY, "tests/study/test_history.py"),
    "study/results.py": (*_STUDY, "tests/study/test_results.py"),
    "study/study.py": _STUDY,
    "study/values.py": (*_STUDY, "tests/study/test_values.py"),
    "study/store.py": _STORE,
    "study/database.py": ("tests/study/test_database.py", "tests/study/test_address.py", *_STORE),
    "latency/predict.py": ("tests/latency/test_predict.py",),
    "pipeline/core/stage.py": ("tests/pipeline/test_stage.py",),
    "formats/quantise.py": ("tests/formats/test_quantise.py",),
    "oneshot/distribution.py": ("tests/oneshot/test_distribution.py",),
    "oneshot/policy.py": ("tests/oneshot/test_policy.py",),
    "deploy/bundle/check.py": ("tests/deploy/test_checking.py",),
    "deploy/quantise/guard.py": ("tests/deploy/test_guard.py",),
}
"""Files of edgenas, and the tests that are to notice: quick ones, where there are some."""
_COSTLY = (
    "test_eight_processes_open",
    "test_processes_that_put",
    "test_every_policy_solves_a_bandit",
    "test_what_was_put_comes_back",
)
"""Tests that take long, or whose work happens in processes that a mutant does not reach: they are left out."""


class Runner:
    """A plugin of pytest that runs mutants instead of the tests once.

    Args:
        target: The file.
        chosen: Its mutants.
        done: Told the outcome of each.
    """

    def __init__(self, target: Path, chosen: Sequence[Mutant], done: Callable[[Mutant, str, str], None]) -> None:
        self._target, self._chosen, self._done = target, chosen, done
        self._lines: set[int] = set()
        self._by_fixture: dict[str, set[int]] = {}
        self._failed: list[str] = []

    def pytest_collection(self) -> None:
        import hypothesis

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutants", deadline=None, derandomize=True, database=None, phases=phases, max_examples=40
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_runtestloop(self, session: Any) -> bool:
        items = [item for item in session.items if not any(name in item.name for name in _COSTLY)]
        code, text = _in_fork(lambda write: write(json.dumps(self._reached(items))), 900)
        if code:
            raise SystemExit(f"{self._target}: the tests fail without a mutant: {text}")
        reached = {key: (set(lines), cost) for key, (lines, cost) in json.loads(text).items()}
        for mutant in self._chosen:
            places = set(range(mutant.line, mutant.last + 1))
            tests = [item for item in items if not mutant.inside or places & reached[item.nodeid][0]]
            tests.sort(key=lambda item: reached[item.nodeid][1])
            limit = 10 + 5 * sum(reached[item.nodeid][1] for item in tests)
            code, text = _in_fork(lambda write, one=mutant, some=tests: self._try(one, some, write), limit)
            self._done(mutant, {0: "survived", None: "timed out", 3: "not made"}.get(code, "killed"), text)
        return True

    def _reached(self, items: Sequence[Any]) -> dict[str, tuple[list[int], float]]:
        """(lines of the target, seconds of a core) of each test; a fixture's lines count for all that ask for it."""
        own: dict[str, tuple[set[int], float]] = {}
        sys.settrace(self._trace)
        threading.settrace(self._trace)
        for item, after in zip(items, [*items[1:], None], strict=True):
            self._lines, began = set(), time.process_time()
            item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
            own[item.nodeid] = self._lines, time.process_time() - began
        if self._failed:
            raise SystemExit(f"fails: {self._failed[0]}")
        found = {}
        for item in items:
            shared = (self._by_fixture.get(name, set()) for name in item.fixturenames)
            found[item.nodeid] = sorted(own[item.nodeid][0].union(*shared)), own[item.nodeid][1]
        return found

    def _trace(self, frame: Any, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != str(self._target):
            return None
        self._lines.add(frame.f_lineno)
        return self._trace

    def _try(self, mutant: Mutant, tests: Sequence[Any], write: Callable[[str], None]) -> None:
        module = ".".join(self._target.relative_to(ROOT).with_suffix("").parts)
        try:
            changed = transplant(sys.modules[module], mutant.source)
        except Exception as error:  # an import that fails is noticed by every test
            return _end(write, type(error).__name__, 1)
        if not changed:
            return _end(write, "", 3)
        for item, after in zip(tests, [*tests[1:], None][: len(tests)], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
            if self._failed:
                return _end(write, self._failed[0], 1)


def _fixture_lines(runner: Runner) -> Any:
    import pytest

    class Fixtures:
        @pytest.hookimpl(wrapper=True)
        def pytest_fixture_setup(self, fixturedef: Any) -> Any:
            outer, runner._lines = runner._lines, set()
            try:
                return (yield)
            finally:
                runner._by_fixture.setdefault(fixturedef.argname, set()).update(runner._lines)
                runner._lines = outer | runner._lines

    return Fixtures()


def _end(write: Callable[[str], None], text: str, code: int) -> None:
    write(text)
    raise SystemExit(code)


def _in_fork(work: Callable[[Callable[[str], None]], None], limit: float) -> tuple[int | None, str]:
    """Do something in a fork: its exit code, None where it took too long, and what it wrote.

    It works in a temporary folder, since a mutant may write files wherever it is.

    Seconds of a core are limited, since a shared machine makes everything slow now and then, and a mutant that is only
    slow was not noticed. What waits and needs no core ends after ten times as long.
    """
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as folder:
        return _in_folder(work, limit, folder)


def _in_folder(work: Callable[[Callable[[str], None]], None], limit: float, folder: str) -> tuple[int | None, str]:
    inlet, outlet = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.chdir(folder)
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 1))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            if "MUTANTS_LOUD" not in os.environ:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            work(lambda text: _write(outlet, text))
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                _write(outlet, end.code)
        finally:
            os._exit(code)
    os.close(outlet)
    parts, deadline, late = [], time.monotonic() + 10 * limit, False
    while not late:
        ready, _, _ = select.select([inlet], [], [], max(0.0, deadline - time.monotonic()))
        late = not ready
        part = os.read(inlet, 65536) if ready else b""
        if ready and not part:
            break
        parts.append(part)
    os.close(inlet)
    if late:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    late = late or code in (-signal.SIGXCPU, -signal.SIGKILL)
    return None if late else code, b"".join(parts).decode()


def _write(outlet: int, text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(outlet, data) :]


def run(name: str, entry: dict[str, Any], save: Callable[[], None], *, most: int, again: bool) -> None:
    """Run the mutants of one file that have no outcome yet, in this process.

    Args:
        name: Of the file, in edgenas.
        entry: Its results; filled.
        save: Called after each.
        most: Mutants that are sampled.
        again: Whether survivors are run once more.
    """
    import pytest

    target = ROOT / "edgenas" / name
    every = mutants(target.read_text(encoding="utf-8"))
    sampled = random.Random(SEED).sample(every, len(every))[:most]
    known = entry.get("outcomes", {})
    entry.update(tests=list(TARGETS[name]), possible=len(every), sampled=len(sampled))
    entry.setdefault("equivalent", {})
    entry["outcomes"] = {one.identity: known[one.identity] for one in sampled if one.identity in known}
    entry["survivors"] = {one.identity: [one.line, one.was, one.now] for one in sampled if one.identity in known}
    entry["survivors"] = {key: value for key, value in entry["survivors"].items() if known[key] == "survived"}
    skipped = {key for key, outcome in entry["outcomes"].items() if not (again and outcome == "survived")}
    todo = [one for one in sampled if one.identity not in skipped and one.identity not in entry["equivalent"]]

    def done(mutant: Mutant, outcome: str, text: str) -> None:
        entry["outcomes"][mutant.identity] = outcome
        entry["survivors"].pop(mutant.identity, None)
        if outcome == "survived":
            entry["survivors"][mutant.identity] = [mutant.line, mutant.was, mutant.now]
        print(f"{name}:{mutant.line} {mutant.identity} {outcome} {text.rpartition('::')[2]}", flush=True)
        save()

    runner = Runner(target, todo, done)
    options = ["-q", "-s", "--no-header", "--no-summary", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    if todo:
        pytest.main([*options, *TARGETS[name]], plugins=[runner, _fixture_lines(runner)])
    save()


def table(files: dict[str, Any]) -> str:
    """Made, killed, timed out, survived, equivalent and the share that was noticed, by file."""
    rows = [
        f"{'file':34}{'possible':>9}{'made':>6}{'killed':>8}{'timed out':>11}{'survived':>10}{'equal':>7}{'share':>8}"
    ]
    for name, entry in files.items():
        equal = entry["equivalent"]
        outcomes = [value for key, value in entry["outcomes"].items() if key not in equal]
        killed, late, alive = (outcomes.count(outcome) for outcome in ("killed", "timed out", "survived"))
        made = killed + late + alive
        entry.update(made=made, killed=killed, timed_out=late, survived=alive)
        entry["share"] = round((killed + late) / made, 3) if made else None
        share = f"{entry['share']:8.1%}" if made else f"{'-':>8}"
        rows.append(f"{name:34}{entry['possible']:9}{made:6}{killed:8}{late:11}{alive:10}{len(equal):7}{share}")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="as search/reward.py; all that are known otherwise")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="OUT")
    parser.add_argument("--most", type=int, default=60, help="mutants sampled of a file (60)")
    parser.add_argument("--again", action="store_true", help="run survivors once more")
    parser.add_argument("--survivors", action="store_true", help="run nothing, show what survived as differences")
    parser.add_argument("--equivalent", nargs=2, metavar=("MUTANT", "REASON"), help="say that a mutant is no mistake")
    options = parser.parse_args()
    names = options.files or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(TARGETS)}")
    text = options.json.read_text(encoding="utf-8") if options.json.exists() else "{}"
    files: dict[str, Any] = json.loads(text).get("files", {})

    def save() -> None:
        table(files)
        staged = options.json.with_suffix(".part")
        staged.write_text(json.dumps({"seed": SEED, "files": files}, indent=1) + "\n", encoding="utf-8")
        staged.replace(options.json)

    if options.equivalent:
        identity, reason = options.equivalent
        (entry,) = [entry for entry in files.values() if identity in entry["survivors"]]
        entry["equivalent"][identity] = [*entry["survivors"].pop(identity), reason]
        save()
    elif not options.survivors:
        _load_heavy()
        for name in names:
            code, text = _in_child(name, files, save, options)
            files.update(json.loads(options.json.read_text(encoding="utf-8"))["files"] if options.json.exists() else {})
    for name in names if options.survivors else ():
        for identity, (line, was, now) in files.get(name, {}).get("survivors", {}).items():
            print(f"{identity} {name}:{line}\n- {was}\n+ {now}")
    print(table(files))


def _in_child(name: str, files: dict[str, Any], save: Callable[[], None], options: Any) -> tuple[int, str]:
    """Each file has a process of its own: what its tests import stays there."""
    child = os.fork()
    if not child:
        try:
            run(name, files.setdefault(name, {"outcomes": {}, "possible": 0, "equivalent": {}}), save,
                most=options.most, again=options.again)  # fmt: skip
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.waitpid(child, 0)
    return 0, ""


def _load_heavy() -> None:
    import importlib

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in ("torch", "onnx", "onnxruntime", "scipy.stats", "sqlalchemy", "pytest", "hypothesis"):
        importlib.import_module(name)


if __name__ == "__main__":
    main()
