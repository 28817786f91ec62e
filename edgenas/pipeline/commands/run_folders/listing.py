"""Which runs a folder holds, and how far each one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from edgenas.errors import StoreError, explain
from edgenas.pipeline.core.artifacts import SEARCH_FILE, SETTINGS_FILE, SUMMARY_FILE
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.lock import LOCK_FILE, holder
from edgenas.pipeline.core.next_run import NEXT
from edgenas.pipeline.core.stage import COPY, RECORD, is_entry
from edgenas.pipeline.stages import FAMILY, STAGES

State = Literal["finished", "stopped", "running", "damaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What is known of a run without loading any of its weights or images.

    Attributes:
        path: Its directory.
        state: `finished`; `stopped`: the command that made it goes on from there; `running`: a process works on it
            now; `damaged`: see `problem`.
        stages: Finished stages with the seconds that each took.
        waiting: Stages that are not finished.
        changed: When a stage was last finished, UTC, in ISO 8601; empty before the first.
        strategy: Of the search; empty where it is not known.
        evaluations: Networks that the search judged; None before its end.
        accuracy: Of the result on the test images; None before the end.
        latency_ms: Measured latency of the exported file; None before the end.
        budget_ms: The latency budget; None without one, or before the end.
        bytes: Of all its files.
        changing: Whether the results of other settings wait in `.next` for their end.
        problem: What is wrong, or which process works on it.
    """

    path: Path
    state: State
    stages: tuple[tuple[str, float], ...] = ()
    waiting: tuple[str, ...] = ()
    changed: str = ""
    strategy: str = ""
    evaluations: int | None = None
    accuracy: float | None = None
    latency_ms: float | None = None
    budget_ms: float | None = None
    bytes: int = 0
    changing: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.path.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, **asdict(self), "path": str(self.path), "stages": dict(self.stages)}


def is_run(path: Path) -> bool:
    """Whether a folder is a run directory, finished or not."""
    return path.is_dir() and any((path / name).is_file() for name in (RECORD, COPY, SETTINGS_FILE, SUMMARY_FILE))


def require_run(path: Path) -> Path:
    """Return the directory of a run, with all links on the way to it resolved.

    Raises:
        StoreError: It is none.
    """
    if not is_run(path):
        raise StoreError(
            explain(f"{path} is no run directory", got="no such folder" if not path.exists() else "no record of a run",
                    remedy="`edgenas runs list` names the runs of a folder.")
        )  # fmt: skip
    return path.resolve()


def listed_runs(folder: Path) -> tuple[RunInfo, ...]:
    """Return the runs of a folder, by name.

    Raises:
        StoreError: There is no such folder.
    """
    if not folder.is_dir():
        raise StoreError(
            explain("there is no folder of runs", got=folder, remedy="Give the folder that `output` of a run names.")
        )
    found = (entry for entry in sorted(folder.iterdir()) if not entry.name.startswith("."))
    return tuple(run_info(entry) for entry in found if is_run(entry))


def run_info(path: Path) -> RunInfo:
    """Return what is known of a run; damage is part of that, and no error.

    Args:
        path: A run directory.
    """
    directory, problems = RunDirectory(path=path), []
    documents: dict[str, Mapping[str, Any]] = {}
    for name in (RECORD if directory.has(RECORD) else COPY, SETTINGS_FILE, SUMMARY_FILE, SEARCH_FILE):
        try:
            documents[name] = directory.read_json(name) if directory.has(name) else {}
        except StoreError as error:
            documents[name] = {}
            problems.append(str(error))
    record, settings, summary, search = documents.values()
    stages = tuple((name, float(entry["seconds"])) for name, entry in record.items() if is_entry(entry))
    waiting = () if summary else _waiting({name for name, _ in stages}, settings)
    writer = holder(path)
    state: State = "damaged" if problems else "finished" if summary and not waiting else "stopped"
    if writer is not None:
        state, problems = "running", [writer]
    return RunInfo(
        path=path, state=state, stages=stages, waiting=waiting, changed=_changed(path),
        strategy=_of(settings, "search", "strategy") or "",
        evaluations=_of(summary, "evaluations") if summary else _of(search, "judged"),
        accuracy=_of(summary, "accuracy"), latency_ms=_of(summary, "latency_ms"), budget_ms=_of(summary, "budget_ms"),
        bytes=_size(path), changing=(path / NEXT).is_dir(), problem=" ".join(problems),
    )  # fmt: skip


def _waiting(done: set[str], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the stages after the last finished one; one before it that is missing was not needed."""
    family = bool(_of(settings, "scale", "phi") or _of(settings, "scale", "targets_ms"))
    names = [stage.name for stage in STAGES if stage is not FAMILY or family]
    last = max((place for place, name in enumerate(names) if name in done), default=-1)
    return tuple(names[last + 1 :])


def _of(document: Mapping[str, Any], *keys: str) -> Any:
    """Return a value of a nested document, None where there is none: files of other versions may lack it."""
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _changed(path: Path) -> str:
    record = path / RECORD
    if not record.is_file():
        return ""
    return datetime.fromtimestamp(record.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _size(path: Path) -> int:
    total = 0
    for entry in path.rglob("*"):
        try:
            total += entry.lstat().st_size if entry.name != LOCK_FILE else 0
        except OSError:
            continue  # a running command has replaced it
    return total
