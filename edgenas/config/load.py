"""YAML to typed settings: strict, with overrides, and errors that name the place in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgenas.config.settings import RunSettings
from edgenas.errors import ConfigError, explain
from edgenas.reading.typed import describe
from edgenas.reading.yaml_text import Place, parse_yaml, read_yaml


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """Split `a.b=value` into the path and the value, read as YAML.

    Args:
        text: One `--set` argument.

    Raises:
        ConfigError: There is no `=`, or the value is not YAML.
    """
    path, sign, value = text.partition("=")
    keys = tuple(part.strip() for part in path.split("."))
    if not sign or not all(keys):
        raise ConfigError(explain("--set needs KEY=VALUE", got=repr(text), allowed="such as --set data.path=photos"))
    return keys, parse_yaml(value, source=f"--set {path}", error=ConfigError).value


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
        told = describe(error.errors(), document, source=source, kind=RunSettings, lines=lines)
        raise ConfigError(told) from error


def load(path: Path, overrides: Sequence[str] = ()) -> RunSettings:
    """Read a run's configuration.

    Args:
        path: The YAML file.
        overrides: `a.b=value` texts that replace what the file says.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or does not describe a run.
    """
    found = read_yaml(path, what="the configuration", error=ConfigError)
    document = {} if found.value is None else found.value
    if not isinstance(document, Mapping):
        raise ConfigError(explain(f"{path}: a configuration is a mapping of sections", got=type(document).__name__))
    return validate(apply_overrides(document, overrides), source=str(path), lines=found.lines)
