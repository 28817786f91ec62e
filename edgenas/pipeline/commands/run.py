"""The whole pipeline: stages in order, then the summary."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenas import atomic
from edgenas.config.settings import RunSettings
from edgenas.pipeline.core.artifacts import (
    FAMILY_FILE,
    FRONT_FILE,
    SEARCH_FILE,
    SETTINGS_FILE,
    STORE_FILE,
    SUMMARY_FILE,
    WINNER_FILE,
    needs_supernet,
)
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory, open_run_directory
from edgenas.pipeline.core.given import NOTHING, Given
from edgenas.pipeline.core.lock import locked
from edgenas.pipeline.core.next_run import finish, settings_of, take_up, workplace
from edgenas.pipeline.core.open_run import settings_document
from edgenas.pipeline.core.stage import Stage, StageOutcome, read_record, run_stages
from edgenas.pipeline.export.early import require_usable
from edgenas.pipeline.stages import FAMILY, STAGES, SUPERNET
from edgenas.report.claims import budget_claim
from edgenas.types import ProgressFactory, Say
from edgenas.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run left behind.

    Attributes:
        directory: The run directory.
        summary: `summary.json`.
        seconds: Wall time of this call.
        skipped_everything: Whether nothing had to be done.
    """

    directory: Path
    summary: dict[str, Any]
    seconds: float
    skipped_everything: bool


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def run_some(
    stages: Sequence[Stage[RunContext]],
    settings: RunSettings,
    *,
    given: Given = NOTHING,
    progress: ProgressFactory,
    say: Say,
) -> Path:
    """Run some stages of a configuration, in order; those that are up to date are skipped.

    Args:
        stages: With every stage that they need.
        settings: The configuration.
        given: Loaded values, instead of what the configuration names.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Returns:
        The run directory.
    """
    return _worked(stages, settings, given=given, progress=progress, say=say)[0].path


def run_pipeline(settings: RunSettings, *, progress: ProgressFactory, say: Say) -> RunResult:
    """Do the whole job of a configuration, or the part of it that is not done yet.

    Args:
        settings: The configuration.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Raises:
        EdgenasError: Something that the user gave cannot be used, or the machine cannot do it. Finished work is kept,
            and the same call resumes from there.
    """
    started = time.monotonic()
    stages = [stage for stage in STAGES if stage is not FAMILY or settings.scale.wanted]
    worked = [stage for stage in stages if stage is not SUPERNET or needs_supernet(settings)]
    directory, outcomes = _worked([*stages, summary_stage(worked)], settings, given=NOTHING, progress=progress, say=say)
    return RunResult(
        directory=directory.path,
        summary=directory.read_json(SUMMARY_FILE),
        seconds=time.monotonic() - started,
        skipped_everything=all(outcome.skipped for outcome in outcomes),
    )


def _worked(
    stages: Sequence[Stage[RunContext]],
    settings: RunSettings,
    *,
    given: Given,
    progress: ProgressFactory,
    say: Say,
) -> tuple[RunDirectory, list[StageOutcome]]:
    """Run stages under the run's lock. If the run belongs to other settings, they work in `.next`; see `next_run`."""
    directory = open_run_directory(settings.output, settings.name)
    document = settings_document(settings)
    with locked(directory.path) as writable:
        if writable:
            atomic.sweep(directory.path, deep=True, old_seconds=0)
            take_up(directory)
        work = workplace(directory, document)
        given.keep(work)
        context = RunContext(settings, work, progress=progress, say=say, given=given)
        outcomes = run_stages(
            stages,
            context,
            work,
            on_start=_Beginning(settings, {stage.name for stage in stages}, work, say, writable=writable),
            on_end=lambda stage, outcome: _end(stage, outcome, work, document, say),
            say=say,
        )
        if work is not directory:
            outputs = [name for stage in stages for name in stage.outputs]
            finish(directory, folders=[name for name in outputs if (work.path / name).is_dir()])
    return directory, outcomes


class _Beginning:
    """Callback for every stage that has to run. Before the first one it refuses what a later stage could not use."""

    def __init__(
        self, settings: RunSettings, stages: Collection[str], directory: RunDirectory, say: Say, *, writable: bool
    ) -> None:
        self._settings, self._stages = settings, stages
        self._directory, self._say, self._writable = directory, say, writable
        self._first = True

    def __call__(self, stage: Stage[RunContext]) -> None:
        if self._first:
            if not self._writable:
                self._directory.write_text(".writable", "")  # says what is in the way
            require_usable(self._settings, self._stages, own_store=self._directory.path / STORE_FILE, say=self._say)
            self._first = False
        if stage.title:
            self._say(f"{stage.name}: {stage.title}")


def _end(
    stage: Stage[RunContext], outcome: StageOutcome, directory: RunDirectory, document: Mapping[str, Any], say: Say
) -> None:
    # Written only now, so that settings that were refused do not become those of the run.
    kept = settings_of(directory)
    if kept is None or (not outcome.skipped and kept != document):
        directory.write_json(SETTINGS_FILE, document)
    if stage.title:
        say(_line(outcome))


def _line(outcome: StageOutcome) -> str:
    return f"{outcome.name}: unchanged" if outcome.skipped else f"{outcome.name}: done in {outcome.seconds:.1f} s"


def summary_stage(stages: Sequence[Stage[RunContext]]) -> Stage[RunContext]:
    """Return the stage that composes `summary.json` from the files of the others.

    Args:
        stages: The others; their seconds are those of the runs that did the work.
    """
    names = tuple(stage.name for stage in stages)

    def write(context: RunContext) -> None:
        record = read_record(context.directory, say=context.say)
        seconds = {name: float(record[name]["seconds"]) for name in names}
        context.directory.write_json(SUMMARY_FILE, _summary(context, seconds))

    return Stage(
        name="summary", title="", needs=names, outputs=(SUMMARY_FILE,), inputs=lambda _: {"version": __version__},
        run=write,
    )  # fmt: skip


def _summary(context: RunContext, seconds: Mapping[str, float]) -> dict[str, Any]:
    directory = context.directory
    winner, search = directory.read_json(WINNER_FILE), directory.read_json(SEARCH_FILE)
    claim = budget_claim(directory.read_json(FRONT_FILE), winner)
    return {
        "name": context.settings.name,
        "version": __version__,
        "seconds": round(sum(seconds.values()), 2),
        "stage_seconds": {name: round(spent, 2) for name, spent in seconds.items()},
        "peak_memory_mib": round(peak_memory_mib(), 1),
        "budget_ms": claim.budget_ms,
        "architecture": winner["architecture"],
        "notation": winner["notation"],
        "macs": winner["macs"],
        "params": winner["params"],
        "accuracy": winner["test_accuracy"]["value"],
        "accuracy_interval": [winner["test_accuracy"]["low"], winner["test_accuracy"]["high"]],
        "target_file": winner["file"],
        "latency_ms": claim.latency_ms,
        "files": {
            entry["name"]: {
                "accuracy": entry["accuracy"],
                "latency_ms": entry["latency_ms"],
                "bytes": entry["bytes"],
                "top1_agreement": entry["top1_agreement"],
            }
            for entry in winner["files"]
        },
        "front_size": len(search["front"]),
        "evaluations": search["judged"],
        "family": _family(directory, seconds),
        "warnings": winner["warnings"],
    }


def _family(directory: RunDirectory, names: Collection[str]) -> list[dict[str, Any]]:
    """Members of the winner's family that this run made."""
    if FAMILY.name not in names:
        return []
    kept = ("name", "notation", "macs", "params", "test_accuracy", "latency_ms", "target_share")
    return [{key: row[key] for key in kept} for row in directory.read_json(FAMILY_FILE)["members"]]
