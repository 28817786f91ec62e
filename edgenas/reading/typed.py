"""The typed reader: it turns a document of plain values into a frozen dataclass, or names every fault with its place.

A pydantic model is made from the fields of a dataclass, strict and without unknown keys; the dataclass checks itself
when it is built. Pydantic is imported when the first document is read.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from edgenas.errors import EdgenasError, InputError, explain, nearest
from edgenas.reading.numbers import WHOLE_LIMIT

Place = tuple[str | int, ...]
_T = TypeVar("_T")
# This many faults of one document fit on a screen.
SHOWN = 5


class _OneOrMany:
    """Marks a tuple that a file may give as one value, as in `Annotated[tuple[int, ...], ONE_OR_MANY]`."""


ONE_OR_MANY = _OneOrMany()

# What pydantic calls a fault, and what a person shall read.
_WORDS = {
    "int_type": ("must be a whole number", "a whole number"),
    "int_from_float": ("must be a whole number", "a whole number"),
    "float_type": ("must be a number", "a number"),
    "finite_number": ("must be a finite number", "a finite number"),
    "string_type": ("must be text", "text"),
    "bool_type": ("must be true or false", "true, false"),
    "list_type": ("must be a list", "a list"),
    "tuple_type": ("must be a list", "a list"),
    "dict_type": ("must be a mapping", "a mapping"),
}
_SECTION = ("model_type", "model_attributes_type", "dataclass_type")


def read_value(
    kind: type[_T],
    document: object,
    *,
    source: str,
    error: type[EdgenasError] = InputError,
    lines: Mapping[Place, int] | None = None,
) -> _T:
    """Read a dataclass from a document.

    Args:
        kind: A dataclass; its fields are plain values, tuples, mappings, dataclasses, or unions of these.
        document: Plain values, as of JSON or YAML.
        source: How messages call the document.
        error: What is raised.
        lines: Line of each place, where known.

    Returns:
        The dataclass, built by its own constructor.

    Raises:
        EdgenasError: Of the class `error`: an unknown or missing key, another type, a number that is not finite, or
            what the dataclass itself refuses; one line a fault.
    """
    import pydantic

    try:
        return _adapter(kind).validate_python(document)  # type: ignore[arg-type, no-any-return]
    except pydantic.ValidationError as problem:
        raise error(describe(problem.errors(), document, source=source, kind=kind, lines=lines)) from problem


def describe(
    problems: Sequence[Any],
    document: object,
    *,
    source: str,
    kind: type,
    lines: Mapping[Place, int] | None = None,
) -> str:
    """Put the faults that pydantic found into words, one a line.

    Args:
        problems: `ValidationError.errors()`.
        document: What was read.
        source: How messages call it.
        kind: The dataclass or model it was read as, for the names of its keys.
        lines: Line of each place, where known.
    """
    by_place: dict[Place, list[Any]] = {}
    for problem in problems:
        by_place.setdefault(_place(problem, document), []).append(problem)
    told = [
        _describe(place, _meant(place, found, by_place), source, kind, lines or {}) for place, found in by_place.items()
    ]
    told = [text for text in dict.fromkeys(told) if text]
    rest = len(told) - SHOWN
    return "\n".join(told[:SHOWN] + ([f"{source}: {rest} more like these."] if rest > 0 else []))


def _meant(place: Place, found: Sequence[Any], by_place: Mapping[Place, object]) -> list[Any]:
    """Return the faults that matter at a place. Of a union these are the faults of the form that the user meant."""
    if isinstance(found[0]["input"], Mapping):
        deeper = any(len(other) > len(place) and other[: len(place)] == place for other in by_place)
        return [] if deeper else [problem for problem in found if problem["type"] in _SECTION] or list(found)
    return [problem for problem in found if problem["type"] not in _SECTION] or list(found)


def dotted(place: Iterable[str | int]) -> str:
    """Return a place as a person writes it: `files[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _describe(place: Place, problems: Sequence[Any], source: str, kind: type, lines: Mapping[Place, int]) -> str:
    if not problems:
        return ""
    problem = problems[0]
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    where = f"{source}{f', line {line}' if line else ''}: {dotted(place) or 'the document'}"
    if problem["type"] == "extra_forbidden":
        names = _keys_at(kind, place[:-1])
        return explain(f"{where}: unknown key{nearest(str(place[-1]), names)}", allowed=", ".join(names) or None)
    if problem["type"] == "missing":
        return explain(f"{where}: is missing")
    if problem["type"] == "edgenas":
        return f"{where}: {problem['msg']}" if place else f"{source}: {problem['msg']}"
    got = problem["input"]
    worded = [_worded(each, kind, place) for each in problems]
    shown = "a mapping" if isinstance(got, Mapping) else "a list" if isinstance(got, (list, tuple)) else repr(got)
    what = worded[0][0] if len(problems) == 1 else "not usable"
    allowed = " or ".join(dict.fromkeys(allowed for _, allowed in worded))
    return explain(f"{where}: {what}", got=shown, allowed=allowed, remedy=_remedy(problem, got))


def _worded(problem: Any, kind: type, place: Place) -> tuple[str, str]:
    """Return what is wrong and what is allowed."""
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if problem["type"] in _SECTION:
        names = _keys_at(kind, place)
        return "must be a mapping", "a section of its own keys" + (f": {', '.join(names)}" if names else "")
    if problem["type"] == "literal_error":
        names = [name.strip("' ") for name in message.replace(" or ", ",").split(",")]
        return f"unknown value{nearest(str(problem['input']), names)}", ", ".join(names)
    if problem["type"] == "unknown_name":
        return f"unknown value{nearest(str(problem['input']), message.split(', '))}", message
    return _WORDS.get(problem["type"], ("not usable", message))


def _remedy(problem: Any, got: object) -> str:
    if problem["type"] == "bool_type" and str(got).lower() in ("yes", "no", "on", "off", "true", "false"):
        return "Write true or false, without quotes."
    return ""


def _place(problem: Any, document: object) -> Place:
    """Return where a fault is: pydantic's location without the names of its own validators."""
    place: list[str | int] = []
    current: Any = document
    for part in problem["loc"]:
        if _holds(current, part):
            current = current[part]
        elif problem["type"] != "missing" or part != problem["loc"][-1]:
            continue
        place.append(part)
    return tuple(place)


def _holds(value: object, part: str | int) -> bool:
    if isinstance(value, (list, tuple)):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and part in value


def _keys_at(kind: object, place: Place) -> list[str]:
    """Return the keys that a dataclass or model allows at a place."""
    if not isinstance(kind, type) or get_args(kind):
        inner = [argument for argument in get_args(kind) if argument is not Ellipsis]
        if place and isinstance(place[0], int):
            place = place[1:]
        elif get_origin(kind) in (dict, collections.abc.Mapping):
            return _keys_at(inner[-1], place[1:]) if place else []
        return next((names for item in inner if (names := _keys_at(item, place))), [])
    hints = get_type_hints(kind, include_extras=True) if is_dataclass(kind) or hasattr(kind, "model_fields") else {}
    if not place:
        return list(getattr(kind, "model_fields", None) or [entry for entry in hints if entry != "model_config"])
    return _keys_at(hints[str(place[0])], place[1:]) if str(place[0]) in hints else []


@cache
def _adapter(kind: type) -> Any:
    import pydantic

    return pydantic.TypeAdapter(_model(kind))


@cache
def _model(kind: type) -> Any:
    """Return the type that pydantic reads: a strict model of the dataclass's fields that then builds the dataclass."""
    import pydantic
    from pydantic_core import PydanticCustomError

    hints = get_type_hints(kind, include_extras=True)
    needed = {
        entry.name: ... if entry.default is MISSING and entry.default_factory is MISSING else None
        for entry in fields(kind)
    }
    shape = {name: (_readable(hints[name]), default) for name, default in needed.items()}
    config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())
    model = pydantic.create_model(kind.__name__, __config__=config, **shape)  # type: ignore[call-overload]

    def build(found: Any) -> Any:
        try:
            return kind(**{name: getattr(found, name) for name in found.model_fields_set})
        except EdgenasError as problem:
            raise PydanticCustomError("edgenas", "{words}", {"words": str(problem)}) from problem

    return Annotated[model, pydantic.AfterValidator(build)]


def _readable(hint: Any) -> Any:
    """Return a type hint with its dataclasses as models. A tuple may be written as a list, since JSON has no tuples."""
    import pydantic

    if isinstance(hint, type) and is_dataclass(hint):
        return _model(hint)
    if hint is int:
        # Counts must fit into 64 bits; numpy would wrap around or fail beyond.
        return Annotated[int, pydantic.Field(ge=-WHOLE_LIMIT, le=WHOLE_LIMIT)]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        items = tuple(item if item is ... else _readable(item) for item in inner)
        return Annotated[tuple[items], pydantic.Strict(False)]  # type: ignore[valid-type]
    if origin is collections.abc.Mapping:
        return dict[inner[0], _readable(inner[1])]  # type: ignore[valid-type, misc]
    if origin is Annotated and ONE_OR_MANY in inner[1:]:
        listed = pydantic.BeforeValidator(lambda value: value if isinstance(value, list) else [value])
        return Annotated[_readable(inner[0]), listed]
    if origin is Annotated:
        return Annotated[(_readable(inner[0]), *inner[1:])]
    if origin is Union or (origin is not None and origin.__name__ == "UnionType"):
        return Union[tuple(_readable(item) for item in inner)]  # noqa: UP007
    return hint
