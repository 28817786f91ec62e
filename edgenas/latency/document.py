"""Tables as files: versioned, content-hashed JSON with one entry per line, written atomically."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgenas import atomic
from edgenas.errors import InputError, TableError, explain
from edgenas.latency.device import DeviceInfo, RuntimeInfo
from edgenas.latency.plausible import require_plausible
from edgenas.latency.table import (
    BuildInfo,
    Correction,
    Entry,
    Interval,
    LatencyTable,
    Probe,
    Reference,
    Validation,
)
from edgenas.reading.files import checked_path, read_text
from edgenas.reading.json_text import parse_json, plain_text, plain_value
from edgenas.reading.typed import read_value

FORMAT = "edgenas-latency-table"
VERSION = 2
# Version 1 has no moments, no floor, no record of how networks settled, and no loops.
_READ = (1, VERSION)
# Numbers of the correction in tables of older versions; no table was ever made with others.
_NEUTRAL = {"scale": 1.0, "per_weight": 0.0}
_ADDED: dict[type, tuple[str, ...]] = {
    Reference: ("at", "error"),
    BuildInfo: ("begun", "ended", "floor_ms", "settling"),
    Interval: ("left_out", "bias", "bias_error"),
    Validation: ("at", "loops"),
}
_PARTS = ("device", "runtime", "reference", "build", "probes", "correction", "interval", "validation")


def dumps(table: LatencyTable) -> str:
    """Write a table as text: header parts first, then one line per entry."""
    document = _content(table)
    head = {"format": FORMAT, "version": VERSION, "digest": _digest(document)}
    lines = [f"  {plain_text(name)}: {plain_text(value)}" for name, value in head.items()]
    lines += [f"  {plain_text(name)}: {_indented(document[name])}" for name in _PARTS]
    entries = [f"    {plain_text(key)}: {plain_text(value)}" for key, value in sorted(document["entries"].items())]
    lines.append('  "entries": {\n' + ",\n".join(entries) + "\n  }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def loads(text: str, *, source: str = "the table") -> LatencyTable:
    """Read a table and check its version, its digest and its completeness.

    Args:
        text: What `dumps` wrote.
        source: How errors call it.

    Raises:
        TableError: Truncated, edited, of another version, or not a latency table.
    """
    remedy = "It is truncated, damaged, or no latency table: build or fetch it again."
    document = parse_json(text, source=source, error=TableError, remedy=remedy)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise TableError(explain(f"{source} is not a latency table", allowed=f"a file with format {FORMAT!r}"))
    version = document.get("version")
    if isinstance(version, bool) or version not in _READ:
        raise TableError(explain(f"{source} has another version", got=repr(version), allowed=_READ))
    digest = document.get("digest")
    content = {name: value for name, value in document.items() if name not in ("format", "version", "digest")}
    if digest != _digest(content):
        raise TableError(
            explain(f"{source} was edited or damaged: its digest does not match", remedy="Build or fetch it again.")
        )
    return _table(_without_neutral(content, source), source)


def write_table(table: LatencyTable, path: str | os.PathLike[str]) -> Path:
    """Write a table to a file; the file is either the old one or complete.

    Args:
        table: The table.
        path: Where; folders are made.

    Raises:
        TableError: The file cannot be written, or the table holds what no table can (see `require_plausible`).
    """
    require_plausible(table, source="the table")
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(target, dumps(table))
    except OSError as error:
        what = f"cannot write the latency table {target}: {error.strerror or error}"
        raise TableError(explain(what, remedy=atomic.remedy_for(error))) from error
    return target


def read_table(path: str | os.PathLike[str]) -> LatencyTable:
    """Read a table from a file; see `loads`.

    Raises:
        InputError: There is no such file.
        TableError: It is not a whole, unedited table of this version.
    """
    source = Path(path)
    checked_path(source, what="the path of the latency table")
    if not os.path.lexists(source):
        raise InputError(explain(f"there is no latency table {source}"))
    return loads(read_text(source, what="the latency table", error=TableError), source=str(source))


def table_digest(table: LatencyTable) -> str:
    """Return the content digest of a table: 64 hex digits, equal for equal tables."""
    return _digest(_content(table))


def _content(table: LatencyTable) -> dict[str, Any]:
    document: dict[str, Any] = {name: _plain(getattr(table, name)) for name in _PARTS}
    document["entries"] = {key: [entry.ratio, entry.error, entry.networks] for key, entry in table.entries.items()}
    return plain_value(plain_text(document))


def _plain(part: Any) -> Any:
    if isinstance(part, DeviceInfo):
        return part.plain()
    if isinstance(part, tuple):
        return [asdict(item) for item in part]
    if part is None:
        return None
    # Fields that older versions do not have are left out where they say nothing, so that digests stay what they were.
    left_out = _ADDED.get(type(part), ())
    return {name: value for name, value in asdict(part).items() if value or name not in left_out}


def _digest(content: Mapping[str, Any]) -> str:
    text = plain_text(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _indented(value: Any) -> str:
    """Objects and lists with one member a line; what is inside stays on that line."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"    {plain_text(item)}" for item in value) + "\n  ]"
    if not isinstance(value, dict):
        return plain_text(value)
    lines = [f"    {plain_text(key)}: {plain_text(item)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + "\n  }"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """The parts of a file that its digest covers: all but format, version and the digest itself."""

    device: DeviceInfo
    runtime: RuntimeInfo
    reference: Reference
    build: BuildInfo
    probes: tuple[Probe, ...]
    correction: Correction
    interval: Interval
    validation: Validation | None
    entries: Mapping[str, tuple[int, int, int]]


def _without_neutral(content: dict[str, Any], source: str) -> dict[str, Any]:
    """Leave out numbers of the correction that older versions wrote and never used.

    Raises:
        TableError: A number is not neutral, so that the table would mean something else without it.
    """
    correction = content.get("correction")
    if not isinstance(correction, dict):
        return content
    for name, neutral in _NEUTRAL.items():
        value = correction.get(name, neutral)
        if isinstance(value, bool) or value != neutral:
            raise TableError(
                explain(f"{source}: correction.{name} is no longer used", got=repr(value), allowed=repr(neutral),
                        remedy="Build the table again.")
            )  # fmt: skip
    return {**content, "correction": {name: value for name, value in correction.items() if name not in _NEUTRAL}}


def _table(content: Mapping[str, Any], source: str) -> LatencyTable:
    found = read_value(_Content, content, source=source, error=TableError)
    parts = {name: getattr(found, name) for name in _PARTS}
    try:
        rows = found.entries.items()
        entries = {key: Entry(ratio=ratio, error=error, networks=networks) for key, (ratio, error, networks) in rows}
        table = LatencyTable(**parts, entries=entries)
    except TableError as error:
        raise TableError(f"{source}: {error}") from error
    require_plausible(table, source=source)
    return table
