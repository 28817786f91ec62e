"""The reader and writer of JSON documents: finite numbers, unique keys, bounded size and depth."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgenas.errors import EdgenasError, InputError, StoreError, explain
from edgenas.reading.files import DOCUMENT_BYTES, read_text
from edgenas.reading.numbers import DIGITS, NumberError, finite

# Documents of edgenas are at most seven deep.
DEPTH = 64


def read_json(path: Path, *, what: str, error: type[EdgenasError] = InputError, remedy: str = "") -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        what: What it should be, such as "the card".
        error: What is raised.
        remedy: What the user can do where it is broken.

    Raises:
        EdgenasError: Of the class `error`: it cannot be read, or see `parse_json`.
    """
    text = read_text(path, what=what, error=error, remedy=remedy)
    return parse_json(text, source=str(path), error=error, remedy=remedy)


def parse_json(text: str, *, source: str, error: type[EdgenasError] = InputError, remedy: str = "") -> Any:
    """Read a JSON text.

    Args:
        text: The text.
        source: How messages call it, such as its path.
        error: What is raised.
        remedy: What the user can do where it is broken.

    Returns:
        Mappings, lists, texts, finite numbers, booleans and None.

    Raises:
        EdgenasError: Of the class `error`: not JSON, a key twice, a number that is not finite, too large or too deep.
    """
    if len(text) > DOCUMENT_BYTES:
        raise error(explain(f"{source} is too large", got=f"{len(text):,} characters", allowed=f"{DOCUMENT_BYTES:,}"))
    try:
        found = json.loads(
            text, object_pairs_hook=_once, parse_constant=_constant, parse_float=_float, parse_int=_int
        )
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise error(explain(f"{source} is not JSON, {where}", got=problem.msg, remedy=remedy)) from problem
    except RecursionError as problem:
        raise error(explain(f"{source} is too deeply nested", allowed=f"{DEPTH} levels", remedy=remedy)) from problem
    except NumberError as problem:
        raise error(explain(f"{source} is not usable", got=str(problem), remedy=remedy)) from problem
    if _depth(found) > DEPTH:
        raise error(explain(f"{source} is too deeply nested", allowed=f"{DEPTH} levels", remedy=remedy))
    return found


def json_text(
    value: object,
    *,
    what: str,
    error: type[EdgenasError] = StoreError,
    indent: int | None = None,
    sort_keys: bool = False,
    separators: tuple[str, str] | None = None,
) -> str:
    """Write plain values as JSON that every reader takes: finite numbers only.

    Args:
        value: Mappings, lists, texts, finite numbers, booleans and None.
        what: How messages call it.
        error: What is raised.
        indent, sort_keys, separators: As of `json.dumps`.

    Raises:
        EdgenasError: Of the class `error`: a number is NaN or infinite; says where it stands.
    """
    try:
        return json.dumps(value, indent=indent, sort_keys=sort_keys, separators=separators, allow_nan=False)
    except ValueError as problem:
        place = _not_finite(value)
        raise error(
            explain(
                f"{what} holds a number that is not finite" if place else f"{what} is not JSON",
                got=place or str(problem),
                remedy="Something was measured or computed wrongly; nothing was written.",
            )
        ) from problem


def plain_text(
    value: object,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    ensure_ascii: bool = True,
    separators: tuple[str, str] | None = None,
) -> str:
    """Write a value that edgenas made itself, for a file or a digest; see `json_text` for what users are told.

    Args:
        value: Mappings, lists, texts, finite numbers, booleans and None.
        indent, sort_keys, ensure_ascii, separators: As of `json.dumps`.

    Raises:
        StoreError: A number is NaN or infinite; says where it stands.
    """
    try:
        return json.dumps(
            value, indent=indent, sort_keys=sort_keys, ensure_ascii=ensure_ascii, separators=separators, allow_nan=False
        )
    except ValueError as problem:
        place = _not_finite(value)
        raise StoreError(
            explain("a result holds a number that is not finite" if place else "a result is not JSON",
                    got=place or str(problem), remedy="It was measured or computed wrongly; nothing was written.")
        ) from problem  # fmt: skip


def plain_value(text: str | bytes) -> Any:
    """Read JSON that edgenas wrote, for callers that say themselves what is broken; see `parse_json`.

    Raises:
        ValueError: It is not JSON, has a key twice, or holds a number that is not finite.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_constant=_constant, parse_float=_float, parse_int=_int
        )
    except RecursionError as problem:
        raise ValueError("too deeply nested") from problem


def _not_finite(value: object, place: str = "") -> str:
    """Say where the first number that is not finite stands; empty where there is none."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{value} at {place or 'the top'}"
    if isinstance(value, Mapping):
        found = (_not_finite(item, f"{place}.{key}".lstrip(".")) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        found = (_not_finite(item, f"{place}[{index}]") for index, item in enumerate(value))
    else:
        return ""
    return next((text for text in found if text), "")


def _depth(value: object) -> int:
    """Levels of a value, counted to one more than `DEPTH`."""
    level, depth = [value], 0
    while level and depth <= DEPTH:
        inner: list[object] = []
        for item in level:
            if isinstance(item, Mapping):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level, depth = [item for item in inner if isinstance(item, (dict, list))], depth + 1
    return depth


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise NumberError(f"the key {twice!r} twice")
    return found


def _constant(text: str) -> float:
    raise NumberError(f"{text}, where numbers must be finite")


def _float(text: str) -> float:
    if len(text) > DIGITS:
        raise NumberError(f"a number of {len(text):,} digits")
    try:
        return finite(float(text))
    except NumberError as problem:
        raise NumberError(f"{text}, where numbers must be finite") from problem


def _int(text: str) -> int:
    if len(text) > DIGITS:
        raise NumberError(f"a number of {len(text):,} digits")
    return int(text)
