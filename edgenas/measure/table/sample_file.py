"""The raw samples of a build so far, one line a visit, so that the build can be stopped and resumed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgenas import atomic
from edgenas.errors import TableError, explain
from edgenas.latency.records import Settling
from edgenas.measure.protocol.timing import Samples
from edgenas.measure.protocol.visit import Visit
from edgenas.reading.json_text import plain_text, plain_value
from edgenas.reading.typed import read_value

_FORMAT = "edgenas-latency-samples-3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One visit in the file.

    Attributes:
        genes: The network's code.
        visit: How often it had been visited before.
        value: The measurement.
    """

    genes: tuple[int, ...]
    visit: int
    value: Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a build measures before its first visit.

    Attributes:
        settling: How networks settle after others ran; empty in cold mode.
        floor_ms: Latency of a network that computes nothing.
    """

    settling: tuple[Settling, ...]
    floor_ms: float


class SampleFile:
    """Visits of one build. With a path they are kept in a file, line by line; without, in memory only."""

    def __init__(self, path: Path | None, identity: Mapping[str, Any]) -> None:
        self.path = path
        self._identity = {"format": _FORMAT, **plain_value(plain_text(identity))}
        self._taken: dict[tuple[tuple[int, ...], int], Visit] = {}
        self.calibration: Calibration | None = None

    def open(self) -> int:
        """Read the visits of an earlier start of the same build, or begin the file.

        Returns:
            Visits found.

        Raises:
            TableError: The file belongs to another build, or cannot be read or written.
        """
        if self.path is None:
            return 0
        try:
            if self.path.exists() and self.path.stat().st_size:
                self._read(self.path.read_text(encoding="utf-8"))
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                atomic.write_text(self.path, plain_text(self._identity) + "\n")
        except OSError as error:
            raise self._cannot_keep(error) from error
        return len(self._taken)

    def get(self, genes: tuple[int, ...], visit: int) -> Visit | None:
        """Return a visit that was taken, or None."""
        return self._taken.get((genes, visit))

    def calibrate(self, value: Calibration) -> None:
        """Keep what was measured before the first visit; later starts of the same build use it again."""
        self.calibration = value
        self._append({"calibration": asdict(value)})

    def add(self, genes: tuple[int, ...], visit: int, value: Visit) -> None:
        """Keep a visit; it is on disk when this returns."""
        self._taken[genes, visit] = value
        self._append(_line(genes, visit, value))

    def _append(self, line: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(plain_text(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._cannot_keep(error) from error

    def _cannot_keep(self, error: OSError) -> TableError:
        what = f"cannot keep samples in {self.path}: {error.strerror or error}"
        return TableError(explain(what, remedy=atomic.remedy_for(error)))

    def finish(self) -> None:
        """Rename the file of a build that is done, so that the next one measures anew and nothing is lost."""
        if self.path is not None and self.path.exists():
            done = self.path.with_name(self.path.name.replace(".samples.jsonl", ".done.jsonl"))
            self.path = self.path.replace(done)

    def __iter__(self) -> Iterator[Taken]:
        for (genes, visit), value in self._taken.items():
            yield Taken(genes=genes, visit=visit, value=value)

    def __len__(self) -> int:
        return len(self._taken)

    def _read(self, text: str) -> None:
        lines = text.splitlines(keepends=True)
        identity = _parsed(lines[0])
        if identity != self._identity:
            found = identity or {}
            differing = sorted(key for key in self._identity if found.get(key) != self._identity[key])
            raise TableError(
                explain(
                    f"{self.path} holds samples of another build",
                    got=f"another {', '.join(differing)}",
                    remedy="Remove it, or write the table elsewhere.",
                )
            )
        whole = [line for line in lines if line.endswith("\n")]
        for line in whole[1:]:
            entry = _parsed(line)
            if entry is None:
                raise TableError(explain(f"{self.path} is damaged", remedy="Remove it and build again."))
            if "calibration" in entry:
                self.calibration = read_value(
                    Calibration, entry["calibration"], source=str(self.path), error=TableError
                )
                continue
            self._taken[tuple(entry["genes"]), entry["visit"]] = _visit(entry)
        if len(whole) < len(lines):  # a line that a killed build did not finish
            assert self.path is not None
            atomic.write_text(self.path, "".join(whole))


def default_path(identity: Mapping[str, Any], *, name: str) -> Path:
    """Return where samples are kept for which no file was named: in the user's cache, one file a build.

    Args:
        identity: Of the build.
        name: Begins the file's name, for people.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    mark = hashlib.sha256(plain_text(identity, sort_keys=True).encode()).hexdigest()[:12]
    return cache / "edgenas" / "latency-samples" / f"{name[:80]}-{mark}.samples.jsonl"


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = plain_value(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _line(genes: tuple[int, ...], visit: int, value: Visit) -> dict[str, Any]:
    return {
        "genes": list(genes),
        "visit": visit,
        "latency_ms": value.latency_ms,
        "reference_ms": value.reference_ms,
        "sessions_ms": list(value.sessions_ms),
        "at": value.at,
        "seconds": value.seconds,
        "own": [_samples_out(part) for part in value.samples],
        "reference": _samples_out(value.reference_samples),
    }


def _samples_out(samples: Samples) -> dict[str, Any]:
    return {
        "wall_ns": samples.wall_ns.round().astype(int).tolist(),
        "cpu_ns": samples.cpu_ns.round().astype(int).tolist(),
        "switches": samples.switches,
        "inner": samples.inner,
    }


def _samples_in(entry: Mapping[str, Any]) -> Samples:
    return Samples(
        wall_ns=np.array(entry["wall_ns"], dtype=np.float64),
        cpu_ns=np.array(entry["cpu_ns"], dtype=np.float64),
        switches=entry["switches"],
        inner=entry["inner"],
    )


def _visit(entry: Mapping[str, Any]) -> Visit:
    return Visit(
        latency_ms=entry["latency_ms"],
        reference_ms=entry["reference_ms"],
        sessions_ms=tuple(entry["sessions_ms"]),
        samples=tuple(_samples_in(part) for part in entry["own"]),
        reference_samples=_samples_in(entry["reference"]),
        at=entry["at"],
        seconds=entry["seconds"],
    )
