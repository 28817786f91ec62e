"""Tables as files: versioned, content-hashed JSON with one entry per line, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from edgenas.errors import InputError, TableError, explain
from edgenas.latency.device import DeviceInfo, RuntimeInfo
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

FORMAT = "edgenas-latency-table"
VERSION = 1
_PARTS = ("device", "runtime", "reference", "build", "probes", "correction", "interval", "validation")
_T = TypeVar("_T")


def dumps(table: LatencyTable) -> str:
    """Write a table as text: header parts first, then one line per entry."""
    document = _content(table)
    head = {"format": FORMAT, "version": VERSION, "digest": _digest(document)}
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    lines += [f"  {json.dumps(name)}: {_indented(document[name])}" for name in _PARTS]
    entries = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(document["entries"].items())]
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
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise TableError(
            explain(f"{source} is not complete JSON ({error}): truncated, or not a latency table")
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise TableError(explain(f"{source} is not a latency table", allowed=f"a file with format {FORMAT!r}"))
    if document.get("version") != VERSION:
        raise TableError(
            explain(f"{source} has another version", got=repr(document.get("version")), allowed=VERSION)
        )
    digest = document.get("digest")
    content = {name: value for name, value in document.items() if name not in ("format", "version", "digest")}
    if digest != _digest(content):
        raise TableError(
            explain(f"{source} was edited or damaged: its digest does not match", remedy="Build or fetch it again.")
        )
    return _table(content, source)


def write_table(table: LatencyTable, path: str | os.PathLike[str]) -> Path:
    """Write a table to a file; the file is either the old one or complete.

    Args:
        table: The table.
        path: Where; folders are made.

    Raises:
        TableError: The file cannot be written.
    """
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(dumps(table), encoding="utf-8")
        os.replace(beside, target)
    except OSError as error:
        raise TableError(explain(f"cannot write the latency table {target}: {error.strerror or error}")) from error
    return target


def read_table(path: str | os.PathLike[str]) -> LatencyTable:
    """Read a table from a file; see `loads`.

    Raises:
        InputError: There is no such file.
        TableError: It is not a whole, unedited table of this version.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(explain(f"there is no latency table {source}")) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(explain(f"cannot read the latency table {source}: {error}")) from error
    return loads(text, source=str(source))


def table_digest(table: LatencyTable) -> str:
    """Return the content digest of a table: 64 hex digits, equal for equal tables."""
    return _digest(_content(table))


def _content(table: LatencyTable) -> dict[str, Any]:
    document: dict[str, Any] = {name: _plain(getattr(table, name)) for name in _PARTS}
    document["entries"] = {key: [entry.ratio, entry.error, entry.networks] for key, entry in table.entries.items()}
    return json.loads(json.dumps(document))


def _plain(part: Any) -> Any:
    if isinstance(part, tuple):
        return [asdict(item) for item in part]
    return None if part is None else asdict(part)


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _indented(value: Any) -> str:
    """Objects and lists with one member a line; what is inside stays on that line."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"    {json.dumps(item)}" for item in value) + "\n  ]"
    if not isinstance(value, dict):
        return json.dumps(value)
    lines = [f"    {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + "\n  }"


def _table(content: Mapping[str, Any], source: str) -> LatencyTable:
    missing = [name for name in (*_PARTS, "entries") if name not in content]
    if missing or len(content) != len(_PARTS) + 1:
        unknown = sorted(set(content) - {*_PARTS, "entries"})
        raise TableError(explain(f"{source} is not complete", got=f"missing {missing}, unknown {unknown}"))
    entries = content["entries"]
    if not isinstance(entries, dict) or not all(_is_entry(value) for value in entries.values()):
        raise TableError(explain(f"{source}: entries must be lists of three integers"))
    return LatencyTable(
        device=_value(DeviceInfo, content["device"], source),
        runtime=_value(RuntimeInfo, content["runtime"], source),
        reference=_value(Reference, content["reference"], source),
        build=_value(BuildInfo, content["build"], source),
        entries={key: Entry(ratio=row[0], error=row[1], networks=row[2]) for key, row in entries.items()},
        probes=tuple(_value(Probe, item, source) for item in _list(content["probes"], source)),
        correction=_value(Correction, content["correction"], source),
        interval=_value(Interval, content["interval"], source),
        validation=None if content["validation"] is None else _value(Validation, content["validation"], source),
    )


def _list(value: object, source: str) -> list[Any]:
    if not isinstance(value, list):
        raise TableError(explain(f"{source}: probes must be a list", got=repr(value)))
    return value


def _is_entry(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(type(item) is int for item in value)


def _value(kind: type[_T], data: Any, source: str) -> _T:
    """Make a dataclass from JSON, with its fields and their types checked."""
    names = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]
    # What was added later has a default, and older tables lack it.
    needed = [entry.name for entry in fields(kind) if entry.default is MISSING]  # type: ignore[arg-type]
    if not isinstance(data, dict) or not set(needed) <= set(data) <= set(names):
        raise TableError(explain(f"{source}: {kind.__name__} has other fields", got=data, allowed=names))
    hints = get_type_hints(kind)
    where = f"{source}: {kind.__name__}"
    return kind(**{name: _typed(hints[name], value, f"{where}.{name}") for name, value in data.items()})


def _typed(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise TableError(explain(f"{where} must be a list", got=repr(value)))
        return tuple(_typed(get_args(hint)[0], item, where) for item in value)
    if hint is float and type(value) in (int, float):
        return float(value)
    if hint in (int, str) and type(value) is hint:
        return value
    if get_args(hint) and get_origin(hint) is not types.UnionType and value in get_args(hint):  # Literal
        return value
    raise TableError(explain(f"{where} has the wrong type", got=repr(value), allowed=str(hint)))
