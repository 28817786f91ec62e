"""YAML to typed settings: strict, with overrides, and errors that name the place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from edgenas.config.settings import RunSettings
from edgenas.errors import ConfigError, explain, nearest

Place = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.1 but for one thing: 1e-3 is a number, as everyone means it, and not a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """Split `a.b=value` into the path and the value, read as YAML.

    Args:
        text: One `--set` argument.

    Raises:
        ConfigError: There is no `=`, or the value is not YAML.
    """
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise ConfigError(explain("--set needs KEY=VALUE", got=repr(text), allowed="such as --set data.path=photos"))
    try:
        return tuple(part.strip() for part in path.split(".")), yaml.load(value, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(explain(f"--set {path}: the value is not YAML", got=repr(value))) from error


def apply_overrides(document: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of a document with overrides applied, sections created where needed.

    Args:
        document: The configuration as read.
        overrides: `a.b=value` texts, applied in order.
    """
    result = dict(document)
    for text in overrides:
        path, value = parse_override(text)
        section = result
        for key in path[:-1]:
            inner = section.get(key)
            if inner is not None and not isinstance(inner, Mapping):
                raise ConfigError(explain(f"--set {'.'.join(path)}: {key} is no section", got=repr(inner)))
            section[key] = dict(inner or {})
            section = section[key]
        section[path[-1]] = value
    return result


def _lines(node: yaml.Node | None, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Yield every place of a YAML document with its line, counted from 1."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*place, index), value.start_mark.line + 1
            yield from _lines(value, (*place, index))


def _model_at(place: Place) -> type[BaseModel] | None:
    """Return the settings class that owns the key at the end of `place`."""
    model: type[BaseModel] | None = RunSettings
    for part in place[:-1]:
        if model is None or part not in model.model_fields:
            return None
        annotation = model.model_fields[str(part)].annotation
        candidates = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in candidates if issubclass(kind, BaseModel)), None)
    return model


def _describe(problem: Any, source: str, lines: Mapping[Place, int]) -> str:
    place = tuple(part for part in problem["loc"] if part != "function-after[]")
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    where = f"{source}{f', line {line}' if line else ''}: {dotted or 'the document'}"
    if problem["type"] == "extra_forbidden":
        model = _model_at(place)
        names = list(model.model_fields) if model else []
        return explain(f"{where}: unknown key{nearest(str(place[-1]), names)}", allowed=", ".join(names) or None)
    if problem["type"] == "missing":
        return explain(f"{where}: missing")
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message = "a section of its own keys" if problem["type"] in ("model_type", "model_attributes_type") else message
    got = None if isinstance(problem["input"], dict) else repr(problem["input"])
    hint = ""
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        hint = nearest(problem["input"], re.findall(r"'([^']*)'", problem["ctx"]["expected"]))
    return explain(f"{where}: not usable{hint}", got=got, allowed=message)


def validate(document: object, *, source: str, lines: Mapping[Place, int] | None = None) -> RunSettings:
    """Turn a plain document into settings.

    Args:
        document: What the YAML holds, overrides applied.
        source: Name of the file, for messages.
        lines: Line of every place, where known.

    Raises:
        ConfigError: Every problem, one a line: the place, what was given, what is allowed, the nearest name.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(explain(f"{source}: a configuration is a mapping of sections", got=type(document).__name__))
    try:
        return RunSettings.model_validate(document)
    except ValidationError as error:
        problems = [_describe(problem, source, lines or {}) for problem in error.errors()]
        raise ConfigError("\n".join(problems)) from error


def load(path: Path, overrides: Sequence[str] = ()) -> RunSettings:
    """Read a run's configuration.

    Args:
        path: The YAML file.
        overrides: `a.b=value` texts that replace what the file says.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or does not describe a run.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(explain(f"cannot read the configuration {path}", got=reason)) from error
    try:
        document, tree = yaml.load(text, Loader=_Loader), yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(explain(f"{path} is not YAML", got=str(error).replace("\n", " "))) from error
    if document is None:
        document = {}
    if not isinstance(document, Mapping):
        raise ConfigError(explain(f"{path}: a configuration is a mapping of sections", got=type(document).__name__))
    return validate(apply_overrides(document, overrides), source=str(path), lines=dict(_lines(tree)))
