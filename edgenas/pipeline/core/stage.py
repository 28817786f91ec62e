"""Stages: named steps with inputs and outputs, skipped when nothing that they depend on has changed."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from edgenas import atomic
from edgenas.errors import StoreError
from edgenas.pipeline.core.directory import RunDirectory, file_digest
from edgenas.reading.json_text import plain_text
from edgenas.types import Say

RECORD = "stages.json"
COPY = ".stages.json"
"""A second copy of the record. Without a record a run would not know that its supernet is trained."""
ContextType = TypeVar("ContextType")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[ContextType]):
    """One step of a run.

    Attributes:
        name: Short, unique; the command line's name for it.
        title: What it does, for people.
        needs: Names of stages whose outputs it reads.
        outputs: Files or folders that it writes, relative to the run directory.
        inputs: Everything else that it depends on, JSON-able.
        run: Does the work.
        version: Raised when the same inputs give other outputs than before.
        wanted: Whether later stages of a run need it; where they do not, it is left out before them.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: Callable[[ContextType], Mapping[str, Any]]
    run: Callable[[ContextType], None]
    version: int = 1
    wanted: Callable[[ContextType], bool] = lambda context: True


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutcome:
    """The outcome of a stage.

    Attributes:
        name: Its name.
        skipped: Whether nothing had to be done.
        seconds: Wall time of this run, 0 where skipped.
        spent_seconds: Wall time of the run that did the work.
    """

    name: str
    skipped: bool
    seconds: float
    spent_seconds: float


def read_record(directory: RunDirectory, *, say: Say) -> dict[str, Any]:
    """Return what is known of finished stages, by name; from its copy where the record is broken or missing.

    Args:
        directory: Of the run.
        say: Told what was broken, and what was done about it.
    """
    broken: list[str] = []
    if not directory.has(RECORD) and directory.has(COPY):
        say(f"  {RECORD} is missing: its copy {COPY} is read instead (delete both to do every stage again)")
        broken.append(RECORD)
    for name in (RECORD, COPY)[len(broken) :]:
        try:
            found = directory.read_json(name) if directory.has(name) else {}
            if all(is_entry(entry) for entry in found.values()) and (found or not broken):
                _say_broken(directory, broken, say)
                if broken and found:
                    with contextlib.suppress(StoreError):  # a disk that cannot be written keeps the copy only
                        _write_record(directory, found)
                return found
        except StoreError:
            pass
        broken.append(name)
    _say_broken(directory, broken, say)
    return {}


def is_entry(entry: object) -> bool:
    """Whether this is what a record says of a finished stage."""
    return isinstance(entry, dict) and {"fingerprint", "outputs", "seconds"} <= set(entry)


def _say_broken(directory: RunDirectory, broken: Sequence[str], say: Say) -> None:
    for name in broken:
        if directory.has(name):
            with contextlib.suppress(OSError):  # on a disk that cannot be written it stays where it is
                kept = atomic.set_aside(directory.path / name)
                say(f"  {name} was broken: it lies in {kept.name} now, and the run goes on from what else is there")


def _write_record(directory: RunDirectory, record: Mapping[str, Any]) -> None:
    directory.write_json(RECORD, record)
    directory.write_json(COPY, record)


def _output_digests(directory: RunDirectory, stage: Stage[ContextType]) -> dict[str, str] | None:
    """Digests of a stage's outputs, or None where one is missing."""
    paths = {name: directory.path / name for name in stage.outputs}
    if not all(path.exists() for path in paths.values()):
        return None
    return {name: file_digest(path) for name, path in paths.items()}


def fingerprint(
    stage: Stage[ContextType], inputs: Mapping[str, Any], record: Mapping[str, Any], left_out: Collection[str] = ()
) -> str:
    """Digest of all that a stage's outputs depend on.

    Args:
        stage: The stage.
        inputs: What its `inputs` returned.
        record: What is known of earlier stages; their outputs' digests enter.
        left_out: Names of stages that this run does without.
    """
    needed = {name: record[name]["outputs"] for name in stage.needs if name not in left_out}
    text = plain_text([stage.name, stage.version, inputs, needed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _left_out(stages: Sequence[Stage[ContextType]], context: ContextType) -> set[str]:
    """Names of stages that only others would need, and do not; one that no other reads was asked for itself."""
    read = {name for stage in stages for name in stage.needs}
    return {stage.name for stage in stages if stage.name in read and not stage.wanted(context)}


def run_stages(
    stages: Sequence[Stage[ContextType]],
    context: ContextType,
    directory: RunDirectory,
    *,
    on_start: Callable[[Stage[ContextType]], None],
    on_end: Callable[[Stage[ContextType], StageOutcome], None],
    say: Say = print,
) -> list[StageOutcome]:
    """Run stages in order, skipping those whose inputs have not changed and whose outputs are untouched.

    Args:
        stages: Every stage comes after the stages that it needs.
        context: Handed to each.
        directory: Where they read and write, and where the record of finished stages lies.
        on_start: Called before a stage that has to run.
        on_end: Called after each, skipped ones too.
        say: Told of a broken record.

    Returns:
        The outcome of each.
    """
    record = read_record(directory, say=say)
    outcomes = []
    left_out = _left_out(stages, context)
    for stage in stages:
        if stage.name in left_out:
            continue
        mark = fingerprint(stage, stage.inputs(context), record, left_out)
        known = record.get(stage.name, {})
        if known.get("fingerprint") == mark and known["outputs"] == _output_digests(directory, stage):
            outcome = StageOutcome(name=stage.name, skipped=True, seconds=0.0, spent_seconds=known["seconds"])
        else:
            on_start(stage)
            started = time.monotonic()
            stage.run(context)
            seconds = time.monotonic() - started
            digests = _output_digests(directory, stage)
            if digests is None:
                raise StoreError(f"stage {stage.name} did not write all of {', '.join(stage.outputs)}.")
            record[stage.name] = {"fingerprint": mark, "outputs": digests, "seconds": round(seconds, 3)}
            _write_record(directory, record)
            outcome = StageOutcome(name=stage.name, skipped=False, seconds=seconds, spent_seconds=seconds)
        outcomes.append(outcome)
        on_end(stage, outcome)
    return outcomes
