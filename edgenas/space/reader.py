"""Strict reading of a space's YAML: every refusal names the path in the file, what was given and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from edgenas.errors import SpaceError, explain, nearest
from edgenas.space.check import check
from edgenas.space.definition import (
    FIELDS,
    ChoiceField,
    Choices,
    Definition,
    HeadChoice,
    SqueezeRule,
    StageChoices,
    StemChoice,
)

_Read = Callable[[str, object], Any]
_Value = TypeVar("_Value")
DEFAULT_SQUEEZE = 0.25


def _fail(path: str, what: str, got: object, allowed: object, remedy: str = "") -> SpaceError:
    return SpaceError(explain(f"{path}: {what}", got=repr(got), allowed=allowed, remedy=remedy))


def _text(path: str, value: object) -> str:
    if not isinstance(value, str):
        raise _fail(path, "must be text", value, "text")
    return value


def _integer(path: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _fail(path, "must be a whole number", value, "a whole number")
    return value


def _number(path: str, value: object) -> float:
    if isinstance(value, str):
        raise _fail(path, "must be a number", value, "a number", "YAML reads 1e-3 as text; write 0.001 or 1.0e-3.")
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _fail(path, "must be a number", value, "a number")
    return float(value)


def _flag(path: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _fail(path, "must be true or false", value, "true, false")
    return value


def _squeeze(path: str, value: object) -> float:
    if isinstance(value, bool):
        return DEFAULT_SQUEEZE if value else 0.0
    return _number(path, value)


def _many(read: Callable[[str, object], _Value]) -> Callable[[str, object], tuple[_Value, ...]]:
    """Return a reader of one value or of a list of values."""

    def reader(path: str, value: object) -> tuple[_Value, ...]:
        if isinstance(value, list):
            return tuple(read(f"{path}[{index}]", item) for index, item in enumerate(value))
        return (read(path, value),)

    return reader


def _mapping(path: str, value: object, keys: Mapping[str, _Read]) -> dict[str, Any]:
    """Read a mapping with the given keys, each by its reader."""
    if not isinstance(value, dict):
        raise _fail(path or "the file", "must be a mapping", value, ", ".join(keys))
    found = {}
    for key, item in value.items():
        inner = f"{path}.{key}" if path else str(key)
        if key not in keys:
            raise SpaceError(
                explain(f"{inner}: unknown key{nearest(str(key), keys)}", got=repr(key), allowed=", ".join(keys))
            )
        found[key] = keys[key](inner, item)
    return found


def _needs(path: str, found: Mapping[str, object], *keys: str) -> None:
    for key in keys:
        if key not in found:
            raise SpaceError(explain(f"{path + '.' if path else ''}{key}: is missing"))


def _read_stem(path: str, value: object) -> StemChoice:
    keys: dict[str, _Read] = {
        "channels": _integer, "kernel": _integer, "stride": _integer, "activation": _text, "scale": _text,
    }
    found = _mapping(path, value, keys)
    _needs(path, found, "channels")
    return StemChoice(**found)


def _read_head(path: str, value: object) -> HeadChoice:
    keys: dict[str, _Read] = {
        "conv": _integer, "hidden": _integer, "hidden_norm": _flag, "activation": _text, "scale": _text,
    }
    return HeadChoice(**_mapping(path, value, keys))


def _read_rule(path: str, value: object) -> SqueezeRule:
    return SqueezeRule(**_mapping(path, value, {"squeeze": _text, "activation": _text, "gate": _text}))


_FIELD_READERS: dict[str, _Read] = {
    "kind": _many(_text),
    "start_kernel": _many(_integer),
    "kernel": _many(_integer),
    "expansion": _many(_number),
    "expanded": _many(_integer),
    "squeeze_excite": _many(_squeeze),
    "activation": _many(_text),
}


def _read_per(path: str, value: object) -> tuple[ChoiceField, ...]:
    """Return the fields that are chosen once for a stage."""
    if isinstance(value, str):
        _scope(path, value)
        return FIELDS if value == "stage" else ()
    scopes = _mapping(path, value, {field: _scope for field in FIELDS})
    return tuple(field for field in FIELDS if scopes.get(field) == "stage")


def _scope(path: str, value: object) -> str:
    if value not in ("stage", "block"):
        raise _fail(path, "unknown scope", value, "stage, block")
    return str(value)


def _read_first(path: str, value: object) -> dict[str, Any]:
    return _mapping(path, value, _FIELD_READERS)


_STAGE_READERS: dict[str, _Read] = {
    "out": _many(_integer),
    "depth": _many(_integer),
    "stride": _integer,
    **_FIELD_READERS,
    "per": _read_per,
    "first": _read_first,
    "keep_expand": _flag,
}


def _expanded(path: str, found: dict[str, Any]) -> dict[str, Any]:
    """Bring `expanded` (channels) under `expansion`, where the definition keeps both."""
    if "expanded" in found and "expansion" in found:
        raise SpaceError(explain(f"{path}: give expansion (ratios) or expanded (channels), not both"))
    return {("expansion" if key == "expanded" else key): value for key, value in found.items()}


def _stage(path: str, own: dict[str, Any], defaults: dict[str, Any]) -> StageChoices:
    inherited = dict(defaults)
    if "expanded" in own or "expansion" in own:
        inherited.pop("expanded", None)
        inherited.pop("expansion", None)
    found = inherited | own
    _needs(path, found, "out")
    absolute = "expanded" in found
    first = found.pop("first", {})
    if absolute != ("expanded" in first) and ("expanded" in first or "expansion" in first):
        raise SpaceError(explain(f"{path}.first: expansion and expanded must be the stage's form"))
    stage = _expanded(path, found)
    wide = stage.pop("per", ())
    first_choices: tuple[tuple[ChoiceField, Choices], ...] = tuple(
        (cast(ChoiceField, key), values) for key, values in sorted(_expanded(f"{path}.first", first).items())
    )
    return StageChoices(**stage, absolute=absolute, stage_wide=wide, first=first_choices)


def read_definition(content: object) -> Definition:
    """Read a space's content, as YAML gives it, and check it.

    Args:
        content: Mappings, lists and scalars.

    Raises:
        SpaceError: An unknown key, a wrong type or an impossible value.
    """
    stages_of = _many(lambda path, value: (path, _mapping(path, value, _STAGE_READERS)))
    keys: dict[str, _Read] = {
        "name": _text,
        "description": _text,
        "resolution": _many(_integer),
        "width": _many(_number),
        "in_channels": _integer,
        "classes": _integer,
        "norm_eps": _number,
        "divisor": _integer,
        "squeeze_rule": _read_rule,
        "stem": _read_stem,
        "head": _read_head,
        "defaults": lambda path, value: _mapping(path, value, _STAGE_READERS),
        "stages": stages_of,
    }
    found = _mapping("", content, keys)
    _needs("", found, "name", "resolution", "stem", "head", "stages")
    defaults = found.pop("defaults", {})
    found["stages"] = tuple(_stage(path, own, defaults) for path, own in found["stages"])
    definition = Definition(**found)
    check(definition)
    return definition
