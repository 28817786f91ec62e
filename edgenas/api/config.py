"""Configurations: shipped ones, files, and a few keys over the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edgenas.config.load import apply_overrides, load, validate
from edgenas.config.settings import RunSettings
from edgenas.errors import ConfigError, StoreError, explain
from edgenas.reading.json_text import plain_text
from edgenas.resources import find_resource

Config: TypeAlias = RunSettings | str | Path | Mapping[str, Any] | None
"""A configuration: settings, a file, the name of a shipped one, or keys such as {"train.epochs": 10} over the
defaults."""

Overrides: TypeAlias = Mapping[str, Any] | Sequence[str]
"""Keys that replace others: {"train.epochs": 10}, or texts such as "train.epochs=10"."""


def load_config(config: Config = None, overrides: Overrides = ()) -> RunSettings:
    """Return the settings of a run.

    Args:
        config: A YAML file, the name of a shipped configuration (such as `quickstart`), settings, or keys over the
            defaults; the defaults if None.
        overrides: Keys that replace what the configuration says: {"train.epochs": 10} or ["train.epochs=10"].

    Returns:
        The settings with every default filled in; `.model_dump()` gives plain values.

    Raises:
        ConfigError: There is no such file, or a key or value in it or in `overrides` is not allowed; the message names
            the key and what is allowed.
    """
    texts = _texts(overrides)
    if isinstance(config, RunSettings):
        return changed(config, overrides) if texts else config
    if config is None or isinstance(config, Mapping):
        document = apply_overrides({"name": "notebook"}, [*_texts(config or {}), *texts])
        return validate(document, source="the configuration")
    return load(find_configuration(str(config)), texts)


def changed(settings: RunSettings, overrides: Overrides, *, source: str = "the configuration") -> RunSettings:
    """Return settings with some keys replaced.

    Args:
        settings: Of a run.
        overrides: See `load_config`.
        source: What messages call the settings.

    Raises:
        ConfigError: A key or value is not allowed.
    """
    # Keys that were not set stay unset, since a search distinguishes a requested target from a default.
    return validate(apply_overrides(settings.model_dump(exclude_unset=True), _texts(overrides)), source=source)


def with_sections(settings: RunSettings, **values: Any) -> RunSettings:
    """Return settings with whole sections, or keys of the top, replaced.

    Args:
        settings: Of a run.
        values: Plain values by name, such as data={"source": "digits"}.

    Raises:
        ConfigError: A value is not allowed.
    """
    return validate(settings.model_dump() | values, source="the configuration")


def given(**keys: Any) -> dict[str, Any]:
    """Return the keys that were given, those that are not None; `__` in a name stands for a dot.

    Args:
        keys: Such as train__epochs=10.
    """
    return {name.replace("__", "."): value for name, value in keys.items() if value is not None}


def find_configuration(name: str) -> Path:
    """Return the path of a configuration: a file, or a shipped one by its path or name.

    Args:
        name: `configs/quickstart.yaml`, `quickstart`, or any path.
    """
    path = Path(name)
    # A folder of that name (a run directory) is no configuration.
    if path.is_file():
        return path
    return find_resource("configs", path.name if path.suffix else f"{path.name}.yaml") or path


def _texts(overrides: Overrides) -> list[str]:
    if isinstance(overrides, str):
        raise ConfigError(
            explain("overrides are several", got=repr(overrides), allowed='{"train.epochs": 10} or ["train.epochs=10"]')
        )
    if not isinstance(overrides, Mapping):
        return [str(text) for text in overrides]
    return [f"{key}={_value_text(key, value)}" for key, value in overrides.items()]


def _value_text(key: str, value: Any) -> str:
    try:
        return plain_text(str(value) if isinstance(value, Path) else value)
    except (TypeError, ValueError, StoreError) as error:
        allowed = "texts, finite numbers, true or false, lists of these, None"
        message = explain(f"{key}: not a value of a configuration", got=repr(value), allowed=allowed)
        raise ConfigError(message) from error
