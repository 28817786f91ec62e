"""The whole pipeline: stages in order, then the summary."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenas.config.settings import RunSettings
from edgenas.pipeline.core.artifacts import FAMILY_FILE, SEARCH_FILE, SUMMARY_FILE, WINNER_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory, open_run_directory
from edgenas.pipeline.core.given import NOTHING, Given
from edgenas.pipeline.core.stage import Stage, StageOutcome, run_stages
from edgenas.pipeline.stages import FAMILY, STAGES
from edgenas.pipeline.training.teacher import require_teacher
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
        given: What was loaded already, in the place of what the configuration names.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Returns:
        The run directory.
    """
    require_teacher(settings.train.teacher)
    directory = open_run_directory(settings.output, settings.name)
    given.keep(directory)
    context = RunContext(settings, directory, progress=progress, say=say, given=given)
    directory.write_json("settings.json", {**settings.model_dump(), "version": __version__})
    run_stages(
        stages,
        context,
        directory,
        on_start=lambda stage: say(f"{stage.name}: {stage.title}"),
        on_end=lambda stage, outcome: say(_line(outcome)),
    )
    return directory.path


def run_pipeline(settings: RunSettings, *, progress: ProgressFactory, say: Say) -> RunResult:
    """Do the whole job of a configuration, or what is left of it.

    Args:
        settings: The configuration.
        progress: Makes a progress display for a title.
        say: Prints a line for people.

    Raises:
        EdgenasError: Something that the user gave cannot be used, or the machine cannot do it; what was finished is
            kept, and the same call goes on from there.
    """
    started = time.monotonic()
    require_teacher(settings.train.teacher)
    directory = open_run_directory(settings.output, settings.name)
    context = RunContext(settings, directory, progress=progress, say=say)
    directory.write_json("settings.json", {**settings.model_dump(), "version": __version__})
    outcomes = run_stages(
        [stage for stage in STAGES if stage is not FAMILY or settings.scale.wanted],
        context,
        directory,
        on_start=lambda stage: say(f"{stage.name}: {stage.title}"),
        on_end=lambda stage, outcome: say(_line(outcome)),
    )
    done = all(outcome.skipped for outcome in outcomes)
    seconds = time.monotonic() - started
    if not done or not directory.has(SUMMARY_FILE):
        directory.write_json(SUMMARY_FILE, _summary(directory, outcomes))
    return RunResult(
        directory=directory.path,
        summary=directory.read_json(SUMMARY_FILE),
        seconds=seconds,
        skipped_everything=done,
    )


def _line(outcome: StageOutcome) -> str:
    return f"{outcome.name}: unchanged" if outcome.skipped else f"{outcome.name}: done in {outcome.seconds:.1f} s"


def _summary(directory: RunDirectory, outcomes: list[StageOutcome]) -> dict[str, Any]:
    """Compose `summary.json` from the files of the stages; seconds are those of the runs that did the work."""
    winner, search = directory.read_json(WINNER_FILE), directory.read_json(SEARCH_FILE)
    return {
        "name": directory.path.name,
        "version": __version__,
        "seconds": round(sum(outcome.spent_seconds for outcome in outcomes), 2),
        "stage_seconds": {outcome.name: round(outcome.spent_seconds, 2) for outcome in outcomes},
        "peak_memory_mib": round(peak_memory_mib(), 1),
        "budget_ms": search["budget_ms"],
        "architecture": winner["architecture"],
        "notation": winner["notation"],
        "macs": winner["macs"],
        "params": winner["params"],
        "accuracy": winner["test_accuracy"]["value"],
        "accuracy_interval": [winner["test_accuracy"]["low"], winner["test_accuracy"]["high"]],
        "target_file": winner["file"],
        "latency_ms": winner["file_latency_ms"],
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
        "family": _family(directory, outcomes),
        "warnings": winner["warnings"],
    }


def _family(directory: RunDirectory, outcomes: list[StageOutcome]) -> list[dict[str, Any]]:
    """Members that this run made of the winner."""
    if FAMILY.name not in {outcome.name for outcome in outcomes}:
        return []
    kept = ("name", "notation", "macs", "params", "test_accuracy", "latency_ms", "target_share")
    return [{key: row[key] for key in kept} for row in directory.read_json(FAMILY_FILE)["members"]]
